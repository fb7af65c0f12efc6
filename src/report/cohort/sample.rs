//! A cohort with everything in it that a page has to show.

use std::sync::Arc;

use super::*;
use crate::model::{Checklist, Item};
use crate::report::sample;

const HOSTILE: &str = "=Eve</script><script>alert(1)</script>|\u{1b}[2J";

fn item(id: &str, title: (&str, &str), weight: i64) -> Item {
    sample::item(id, "own", Level::Must, weight, title, None)
}

fn checklist(id: &str, version: &str, items: Vec<Item>) -> Checklist {
    let groups = vec![sample::group("own", None, "Own", "自己的")];
    let version = version.parse().unwrap();
    Checklist { version, ..sample::checklist(id, ("Own", "自己的"), groups, items) }
}

fn seen(checklists: Vec<Checklist>, stands: &[(Status, bool)]) -> Seen {
    let catalog = Catalog::new(checklists);
    let stand = |&(status, inconclusive)| Stand { status, inconclusive, unproven: false };
    let mut stands = stands.iter().map(stand);
    let mut tally = Tally::default();
    let mut own = vec![];
    for checklist in catalog.checklists() {
        let stands: Vec<_> = stands.by_ref().take(checklist.items.len()).collect();
        for (item, stand) in checklist.items.iter().zip(&stands) {
            let mut standing = Standing { status: stand.status, ..Standing::default() };
            standing.inconclusive.extend(stand.inconclusive.then(|| "a/b".parse().unwrap()));
            tally.add(item, &standing);
        }
        let digest = Digest::of(checklist.version.to_string().as_bytes());
        own.push(SeenChecklist { id: checklist.id.clone(), digest, stands });
    }
    Seen {
        revision: Some("a".repeat(40)),
        activity: Some("2026-05-20T10:00:00Z".parse().unwrap()),
        tally,
        catalog: Arc::new(catalog),
        checklists: own,
    }
}

/// Two who have the same list, one with a later version of it and a list of her own, one item of which an unproven plugin passed, one who is hostile, and one who can not
/// be read.
pub(super) fn cohort() -> CohortReport {
    let usual = || {
        let items = vec![
            item("own.get", ("GET is safe", "GET 安全"), 3),
            item("own.read", ("Read\u{1b}[1m it & <b>", "读过"), 1),
        ];
        vec![checklist("own", "1.0.0", items)]
    };
    let later = || {
        let easy = checklist("easy", "1.0.0", vec![item("easy.one", ("Easy", "容易"), 1)]);
        vec![checklist("own", "2.0.0", vec![item("own.get", ("GET is safe", "GET 安全"), 3)]), easy]
    };
    let mut eve = seen(usual(), &[(Status::Failing, true), (Status::Waived, false)]);
    (eve.activity, eve.revision) = (None, None);
    let mut cy = seen(later(), &[(Status::Proven, false), (Status::Proven, false)]);
    cy.checklists[0].stands[0].unproven = true;
    let learner =
        |name: &str, seen| LearnerInput { name: name.to_owned(), place: format!("class/{name}"), seen };
    CohortReport::new(CohortInput {
        at: "2026-06-01T12:00:00Z".parse().unwrap(),
        title: Some("Spring & co".to_owned()),
        wanted: vec![],
        learners: vec![
            learner("Ada", Ok(seen(usual(), &[(Status::Proven, false), (Status::Claimed, false)]))),
            learner("博文", Ok(seen(usual(), &[(Status::Stale, false), (Status::Open, false)]))),
            learner("Cy", Ok(cy)),
            learner(HOSTILE, Ok(eve)),
            learner("Flo", Err(format!("there is no commit {HOSTILE}\nsecond line"))),
        ],
    })
}
