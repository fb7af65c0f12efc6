//! Checklists of any length, the same every time.

use std::fmt::Write as _;

/// How many items a group has.
const GROUP: usize = 50;

/// The items that item number `item` needs, by number: the one before, and one further back at a distance that differs
/// from item to item.
pub(crate) fn needs(item: usize) -> Vec<usize> {
    match item {
        0 => vec![],
        1 => vec![0],
        _ => vec![item - 1, (item * 7_919) % (item - 1)],
    }
}

/// One checklist with `items` items in groups of fifty, each with its needs; every eighth has a check.
pub(crate) fn checklist(items: usize) -> String {
    let mut text = String::from(
        "format = 1\nid = \"generated\"\nversion = \"1.0.0\"\ntitle = { zh = \"生成的清单\", en = \"Generated\" }\n",
    );
    for group in 0..items.div_ceil(GROUP) {
        write!(
            text,
            "\n[[group]]\nid = \"group-{group}\"\ntitle = {{ zh = \"第 {group} 组\", en = \"Group {group}\" }}\n"
        )
        .expect("a text takes what is written");
    }
    for item in 0..items {
        let needs: Vec<String> =
            needs(item).into_iter().map(|need| format!("\"generated.item-{need}\"")).collect();
        write!(
            text,
            "\n[[item]]\nid = \"generated.item-{item}\"\ngroup = \"group-{}\"\n\
             title = {{ zh = \"第 {item} 项要会的东西\", en = \"Thing number {item} to be ready in\" }}\n\
             level = \"must\"\nweight = {}\nneeds = [{}]\ntags = [\"http\", \"api\"]\nfresh-for = \"90d\"\n\
             source = \"note:{item}\"\n\
             hints = [{{ zh = \"先做最小的一步。\", en = \"Begin with the smallest step.\" }}]\n",
            item / GROUP,
            item % 5 + 1,
            needs.join(", "),
        )
        .expect("a text takes what is written");
        if item % 8 == 0 {
            text.push_str(
                "[[item.check]]\nuses = \"http-idempotency/safe-get\"\ntarget = { api = \"web\" }\n",
            );
        }
    }
    text
}
