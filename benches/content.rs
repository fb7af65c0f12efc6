//! Content to report, in process: parsing and linking beside a bare TOML parser on the same text, and the report.

mod generated;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mustdo::model::{Asked, Catalog, Language, Policy, Settings};
use mustdo::report::{Files, Format, Input, Report, View, write};
use mustdo::store::CHECKLISTS;
use mustdo::syntax::{Source, link, read_checklist};

/// Items of the large checklist.
const MANY: usize = 10_000;

fn shipped() -> Vec<Source> {
    CHECKLISTS.iter().map(|&(name, text)| Source::new(name, text)).collect()
}

fn large() -> Vec<Source> {
    vec![Source::new("checklists/generated.toml", generated::checklist(MANY))]
}

/// Reads and links as the program does; content with a problem would measure the wrong thing.
fn catalog(sources: &[Source]) -> Catalog {
    let files = sources.iter().map(read_checklist).map(|read| {
        assert!(read.diagnostics.is_empty(), "the content is clean");
        read.value.expect("clean content has a value")
    });
    let linked = link(files.collect());
    assert!(linked.diagnostics.is_empty(), "the content is clean");
    linked.catalog
}

fn content(criterion: &mut Criterion) {
    for (name, sources) in [("shipped", shipped()), ("10000 items", large())] {
        let mut group = criterion.benchmark_group(format!("content/{name}"));
        group.sample_size(20);
        group.throughput(Throughput::Bytes(sources.iter().map(|source| source.text.len() as u64).sum()));
        group.bench_function("toml alone", |bencher| {
            bencher.iter(|| {
                for source in &sources {
                    let table = toml::from_str::<toml::Table>(&source.text).expect("the content is TOML");
                    black_box(table);
                }
            });
        });
        group.bench_function("read and link", |bencher| bencher.iter(|| catalog(black_box(&sources))));
        group.finish();
    }
}

fn report(criterion: &mut Criterion) {
    let catalog = catalog(&large());
    let settings = Settings::default();
    let asked: Vec<Vec<Asked>> = catalog
        .items()
        .map(|item| {
            let ask = |definition| Asked {
                definition,
                plugin: None,
                unbound: [].into(),
                watched: None,
                targets: [].into(),
            };
            settings.definitions(item).into_iter().map(ask).collect()
        })
        .collect();
    let policy = Policy::default();
    let input = |asked| Input {
        catalog: &catalog,
        items: catalog.items().collect(),
        entries: vec![None; MANY],
        asked,
        policy: &policy,
        judgement: None,
        comparison: None,
        soft: false,
        needed: std::collections::BTreeMap::new(),
        now: "2026-06-01T12:00:00Z".parse().expect("a moment"),
        workspace: "work".to_owned(),
        revision: None,
        narrowed: false,
        files: Files::default(),
    };
    let view = View { language: Language::En, color: false, width: Some(100), items: true, why: false };

    let mut group = criterion.benchmark_group("report/10000 items");
    group.sample_size(20);
    group.bench_function("make", |bencher| {
        bencher.iter_batched(|| input(asked.clone()), Report::new, BatchSize::LargeInput);
    });
    let report = Report::new(input(asked.clone()));
    for format in Format::ALL {
        group.bench_function(format.word(), |bencher| {
            bencher.iter(|| write(black_box(&report), format, &view));
        });
    }
    group.finish();
}

criterion_group!(benches, content, report);
criterion_main!(benches);
