use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use camino::Utf8Path;

use super::*;
use crate::{Content, MemoryMedia, Silent, SourceEntry, SourceFile, SourceKind, sample::Sample};

mod attached;

fn root() -> RootFile {
    let publics = [1, 2, 3].map(|byte| *Sample::key(byte).public());
    RootFile::init(&publics, 2, "2026-11-22T12:00:00Z".parse().unwrap()).unwrap()
}

/// Builds the sample's recipe from these inputs into `sink`.
fn built_from(
    source: &dyn Source,
    sink: &mut MemoryMedia,
    progress: &dyn Progress,
) -> Result<Built, BuildError> {
    let recipe = Recipe::parse(&Sample::recipe(7), "sample.toml".into()).unwrap();
    let order = Order {
        have: &BTreeSet::new(),
        model_key: None,
        recipe: &recipe,
        source,
        roots: &[root()],
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        progress,
    };
    build(&order, sink)
}

fn refused(source: &dyn Source) -> BuildError {
    let mut sink = MemoryMedia::new("out");
    let error = built_from(source, &mut sink, &Silent).unwrap_err();
    assert!(sink.files.is_empty(), "{error}: {:?}", sink.files.keys());
    error
}

#[test]
fn two_builds_of_the_same_inputs_give_the_same_bytes() {
    let mut builds = [MemoryMedia::new("out"), MemoryMedia::new("out")];
    for sink in &mut builds {
        built_from(&Sample::inputs(), sink, &Silent).unwrap();
    }
    let [one, other] = &builds;
    assert!(!one.files.is_empty());
    assert_eq!(
        one.files.keys().collect::<Vec<_>>(),
        other.files.keys().collect::<Vec<_>>()
    );
    for path in one.files.keys() {
        assert!(one.bytes(path) == other.bytes(path), "{path}");
    }
}

#[test]
fn a_missing_input_builds_nothing() {
    for missing in ["maas-appliance", "install.sh", "README.txt", "tiny.toml"] {
        let mut inputs = Sample::inputs();
        inputs
            .files
            .remove(missing)
            .unwrap_or_else(|| panic!("{missing}"));
        let error = refused(&inputs);
        assert_eq!(error.exit(), Exit::NotFound, "{missing}: {error}");
        assert!(error.to_string().contains(missing), "{error}");
    }
}

#[test]
fn an_image_without_its_index_builds_nothing() {
    let mut inputs = Sample::inputs();
    inputs.files.remove("engine/index.json").unwrap();
    let error = refused(&inputs);
    assert!(
        error.to_string().contains("`index.json` is missing"),
        "{error}"
    );
}

#[test]
fn what_is_no_file_builds_nothing() {
    for content in [Content::Special, Content::Link] {
        let inputs = Sample::inputs().with("tiny/pipe", content);
        assert!(matches!(refused(&inputs), BuildError::Source(_)));
    }
}

#[test]
fn files_with_a_dot_are_left_out_and_named() {
    let inputs = Sample::inputs()
        .with("tiny/.gitattributes", &b"x"[..])
        .with("tiny/.cache/lock", &b"x"[..]);
    let mut sink = MemoryMedia::new("out");
    let built = built_from(&inputs, &mut sink, &Silent).unwrap();
    let mut left_out = built.left_out;
    left_out.sort();
    assert_eq!(left_out, ["tiny/.cache", "tiny/.gitattributes"]);
    assert_eq!(built.bill.models[0].files.len(), 3);
}

#[test]
fn names_that_cannot_be_stored_everywhere_build_nothing() {
    let twins = Sample::inputs().with("tiny/CONFIG.json", &b"{}"[..]);
    let error = refused(&twins);
    assert_eq!(error.exit(), Exit::Content);
    let odd = Sample::inputs().with("tiny/a\nb.json", &b"{}"[..]);
    assert!(matches!(refused(&odd), BuildError::ModelFile { .. }));
}

#[test]
fn roots_that_make_no_chain_build_nothing() {
    let recipe = Recipe::parse(&Sample::recipe(7), "sample.toml".into()).unwrap();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let publics = [1, 2].map(|byte| *Sample::key(byte).public());
    let second = root().rotate(&publics, 2, now).unwrap();
    for roots in [&[][..], std::slice::from_ref(&second)] {
        let order = Order {
            have: &BTreeSet::new(),
            model_key: None,
            recipe: &recipe,
            source: &Sample::inputs(),
            roots,
            now,
            progress: &Silent,
        };
        let error = build(&order, &mut MemoryMedia::new("out")).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage, "{error}");
    }
}

/// Inputs of which one has other bytes from its second opening on.
struct Changing {
    inputs: [MemoryMedia; 2],
    which: &'static str,
    opened: AtomicUsize,
}

impl Source for Changing {
    fn kind(&self, path: &Utf8Path) -> Result<SourceKind, SourceError> {
        self.inputs[0].kind(path)
    }

    fn list(&self, folder: &Utf8Path) -> Result<Vec<SourceEntry>, SourceError> {
        Source::list(&self.inputs[0], folder)
    }

    fn open(&self, path: &Utf8Path) -> Result<Box<dyn SourceFile + '_>, SourceError> {
        if path != self.which {
            return Source::open(&self.inputs[0], path);
        }
        let before = self.opened.fetch_add(1, Ordering::SeqCst);
        Source::open(&self.inputs[before.min(1)], path)
    }
}

#[test]
fn an_input_that_changes_between_the_passes_stops_the_build_before_there_is_metadata() {
    for after in [&b"Another page, of another length.\n"[..], b""] {
        let changing = Changing {
            inputs: [Sample::inputs(), Sample::inputs().with("README.txt", after)],
            which: "README.txt",
            opened: AtomicUsize::new(0),
        };
        let mut sink = MemoryMedia::new("out");
        let error = built_from(&changing, &mut sink, &Silent).unwrap_err();
        assert!(matches!(error, BuildError::Changed { .. }), "{error}");
        assert!(!sink.files.keys().any(|path| path.contains("metadata")));
    }
}

/// What was announced and what was done, by phase.
#[derive(Default)]
struct Sums(Mutex<Vec<(Phase, u64, u64)>>);

impl Progress for Sums {
    fn start(&self, phase: Phase, total: u64) {
        self.0.lock().unwrap().push((phase, total, 0));
    }

    fn advance(&self, bytes: u64) {
        self.0.lock().unwrap().last_mut().unwrap().2 += bytes;
    }
}

#[test]
fn what_is_announced_is_what_is_written() {
    let sums = Sums::default();
    built_from(&Sample::inputs(), &mut MemoryMedia::new("out"), &sums).unwrap();
    let sums = sums.0.into_inner().unwrap();
    let (_, total, done) = sums
        .iter()
        .find(|(phase, ..)| *phase == Phase::Write)
        .unwrap();
    assert_eq!(total, done);
    assert!(*total > 0);
}
