//! Circles in what needs what, in linear time and without recursion: content may hold tens of thousands of items.

use std::collections::VecDeque;

/// A circle in each knot of nodes that reach each other, in the order of their first nodes. `edges[n]` are the nodes
/// that `n` points to. A circle lists its nodes in order, each pointing to the next and the last to the first; it is a
/// shortest one through the knot's first node.
pub(super) fn circles(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let knots = knots(edges);
    let mut knot_of = vec![usize::MAX; edges.len()];
    for (index, knot) in knots.iter().enumerate() {
        for &node in knot {
            knot_of[node] = index;
        }
    }
    let mut circles: Vec<_> = knots.iter().filter_map(|knot| circle(edges, &knot_of, knot)).collect();
    circles.sort_unstable();
    circles
}

/// The shortest way from the knot's first node back to itself, where there is one.
fn circle(edges: &[Vec<usize>], knot_of: &[usize], knot: &[usize]) -> Option<Vec<usize>> {
    let first = *knot.iter().min()?;
    let inside = |node: usize| knot_of[node] == knot_of[first];
    let mut came_from = std::collections::HashMap::new();
    let mut next = VecDeque::from([first]);
    while let Some(node) = next.pop_front() {
        for &target in edges[node].iter().filter(|&&target| inside(target)) {
            if target == first {
                let back = |&node: &usize| came_from.get(&node).copied();
                let mut circle: Vec<_> = std::iter::successors(Some(node), back).collect();
                circle.reverse();
                return Some(circle);
            }
            came_from.entry(target).or_insert_with(|| {
                next.push_back(target);
                node
            });
        }
    }
    None
}

/// The strongly connected components of a graph. Source: R. Tarjan, "Depth-first search and linear graph algorithms",
/// SIAM Journal on Computing 1(2), 1972, with the recursion unrolled.
fn knots(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let mut order = vec![UNSEEN; edges.len()];
    let mut low = vec![UNSEEN; edges.len()];
    let mut open = vec![false; edges.len()];
    let (mut stack, mut knots, mut seen) = (vec![], vec![], 0);
    for root in 0..edges.len() {
        if order[root] != UNSEEN {
            continue;
        }
        // Each frame is a node and how many of its edges have been followed.
        let mut frames = vec![(root, 0)];
        while let Some(frame) = frames.last_mut() {
            let (node, followed) = *frame;
            if followed == 0 {
                (order[node], low[node]) = (seen, seen);
                seen += 1;
                stack.push(node);
                open[node] = true;
            }
            if let Some(&target) = edges[node].get(followed) {
                frame.1 += 1;
                if order[target] == UNSEEN {
                    frames.push((target, 0));
                } else if open[target] {
                    low[node] = low[node].min(order[target]);
                }
                continue;
            }
            frames.pop();
            if let Some(&(above, _)) = frames.last() {
                low[above] = low[above].min(low[node]);
            }
            if low[node] == order[node] {
                let start = stack.iter().rposition(|&member| member == node).unwrap_or_default();
                let knot = stack.split_off(start);
                for &member in &knot {
                    open[member] = false;
                }
                knots.push(knot);
            }
        }
    }
    knots
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn knot_gives_one_circle_and_a_chain_none() {
        assert_eq!(circles(&[vec![1], vec![2], vec![]]), Vec::<Vec<usize>>::new());
        assert_eq!(circles(&[vec![0]]), [vec![0]]);
        assert_eq!(circles(&[vec![1], vec![2, 0], vec![0]]), [vec![0, 1]]);
        assert_eq!(circles(&[vec![2], vec![3], vec![0], vec![1]]), [vec![0, 2], vec![1, 3]]);
    }

    #[test]
    fn hundred_thousand_nodes_deep_is_no_matter() {
        let mut edges: Vec<_> = (1..=100_000).map(|next| vec![next]).collect();
        edges.push(vec![]);
        assert!(circles(&edges).is_empty());
        edges[100_000].push(0);
        assert_eq!(circles(&edges)[0].len(), 100_001);
    }

    proptest! {
        #[test]
        fn circles_are_circles_and_without_them_an_order_exists(
            edges in prop::collection::vec(prop::collection::vec(0_usize..12, 0..3), 12)
        ) {
            let found = circles(&edges);
            for circle in &found {
                for (index, &node) in circle.iter().enumerate() {
                    prop_assert!(edges[node].contains(&circle[(index + 1) % circle.len()]));
                }
            }
            // Taking away what points to nothing left ends with nothing exactly where there is no circle.
            let mut left: Vec<usize> = (0..12).collect();
            while let Some(at) = left.iter().position(|&node| !edges[node].iter().any(|to| left.contains(to))) {
                left.remove(at);
            }
            prop_assert_eq!(left.is_empty(), found.is_empty());
        }
    }
}
