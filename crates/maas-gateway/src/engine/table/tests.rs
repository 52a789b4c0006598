use super::*;
use crate::engine::pick::tests::entry;

fn table(sequence: u64, engines: &[&str]) -> EngineTable {
    EngineTable {
        schema: EngineTable::SCHEMA.to_owned(),
        sequence,
        written: Timestamp::UNIX_EPOCH,
        generation: None,
        engines: engines
            .iter()
            .map(|id| entry(id, "tiny", EngineState::Ready))
            .collect(),
    }
}

fn replace(path: &Utf8Path, text: &[u8]) {
    let beside = path.with_extension("new");
    fs_err::write(&beside, text).unwrap();
    fs_err::rename(beside, path).unwrap();
}

fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path())
        .unwrap()
        .join("run/engines.json");
    (folder, path)
}

async fn wait_for(watch: &EngineTableWatch, what: impl Fn(&View) -> bool) -> Arc<View> {
    let wait = async {
        loop {
            let view = watch.view();
            if what(&view) {
                return view;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .expect("the table is read")
}

#[tokio::test]
async fn a_replaced_table_is_read_and_keeps_what_is_known_of_its_engines() {
    let (_folder, path) = folder();
    let watch = Arc::new(EngineTableWatch::open(path.clone()).unwrap());
    let stop = CancellationToken::new();
    let following = {
        let (watch, stop) = (Arc::clone(&watch), stop.clone());
        async move { watch.follow(&stop).await }
    };
    let test = async {
        assert_eq!(
            watch.view().freshness(Timestamp::UNIX_EPOCH, LOOK),
            Freshness::Absent
        );
        replace(&path, &serde_json::to_vec(&table(1, &["a"])).unwrap());
        let first = wait_for(&watch, |view| view.sequence() == 1).await;
        first.engines[0].local.eject(1);

        replace(&path, b"{");
        let damaged = wait_for(&watch, |view| view.problem.is_some()).await;
        assert_eq!(damaged.sequence(), 1, "the last good table stays");

        replace(&path, &serde_json::to_vec(&table(2, &["a", "b"])).unwrap());
        let second = wait_for(&watch, |view| view.sequence() == 2).await;
        assert_eq!(second.problem, None);
        assert!(Arc::ptr_eq(
            &first.engines[0].local,
            &second.engines[0].local
        ));
        assert!(!second.engines[0].local.is_ejected(2));
        stop.cancel();
    };
    tokio::join!(following, test);
}

#[test]
fn a_table_of_another_schema_is_not_read() {
    let (_folder, path) = folder();
    let watch = EngineTableWatch::open(path.clone()).unwrap();
    let mut other = table(1, &["a"]);
    other.schema = "maas-appliance/engine-table/v9".to_owned();
    replace(&path, &serde_json::to_vec(&other).unwrap());
    watch.read();
    let view = watch.view();
    assert!(view.table.is_none());
    let problem = view.problem.clone().unwrap();
    assert!(
        problem.contains("schema `maas-appliance/engine-table/v9`"),
        "{problem}"
    );
}

#[test]
fn a_table_is_stale_after_its_time_and_fresh_when_a_clock_went_back() {
    let view = View {
        table: Some(table(1, &[])),
        ..View::default()
    };
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    let after = Duration::from_secs(10);
    assert_eq!(view.freshness(at(10), after), Freshness::Fresh);
    assert_eq!(view.freshness(at(11), after), Freshness::Stale);
    assert_eq!(view.freshness(at(-500), after), Freshness::Fresh);
}
