use super::*;

fn add(id: u64, tokens: u64) -> Command {
    Command::Add(Add {
        id,
        prefill: 10,
        tokens,
        first: Duration::from_millis(50),
        each: Duration::from_millis(5),
    })
}

fn events(core: &mut Core) -> Vec<Event> {
    let bytes = std::mem::take(&mut core.out);
    let frames = bytes
        .chunks(Event::LEN)
        .map(|frame| Event::read(frame).unwrap());
    frames.collect()
}

#[tokio::test(start_paused = true)]
async fn sequences_beyond_the_batch_wait_and_then_run() {
    let mut core = Core::new(1);
    core.take(add(1, 2));
    core.take(add(2, 1));
    assert_eq!(
        events(&mut core),
        [
            Event::Scheduled { id: 1 },
            Event::Queue {
                running: 1,
                waiting: 0
            },
            Event::Queue {
                running: 1,
                waiting: 1
            },
        ]
    );
    tokio::time::advance(Duration::from_millis(50)).await;
    core.step(Instant::now());
    assert_eq!(
        events(&mut core),
        [Event::Token { id: 1 }, Event::Step { tokens: 11 }]
    );
    assert_eq!(
        core.next_due(),
        Some(Instant::now() + Duration::from_millis(5))
    );
    tokio::time::advance(Duration::from_millis(5)).await;
    core.step(Instant::now());
    assert_eq!(
        events(&mut core),
        [
            Event::Token { id: 1 },
            Event::Step { tokens: 1 },
            Event::Scheduled { id: 2 },
            Event::Queue {
                running: 1,
                waiting: 0
            },
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_hung_core_produces_nothing_and_its_numbers_stand_still() {
    let mut core = Core::new(8);
    core.take(add(1, 2));
    core.take(Command::Hang);
    events(&mut core);
    core.take(add(2, 2));
    assert_eq!(events(&mut core), []);
    assert_eq!(core.next_due(), None);
    core.take(Command::Resume);
    assert_eq!(
        events(&mut core),
        [
            Event::Scheduled { id: 2 },
            Event::Queue {
                running: 2,
                waiting: 0
            }
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_sequence_leaves_the_batch() {
    let mut core = Core::new(8);
    core.take(add(1, 2));
    events(&mut core);
    core.take(Command::Cancel { id: 1 });
    assert_eq!(
        events(&mut core),
        [Event::Queue {
            running: 0,
            waiting: 0
        }]
    );
}

#[tokio::test]
async fn the_core_ends_with_its_api_and_with_its_worker() {
    let (api, core) = UnixStream::pair().unwrap();
    drop(api);
    assert_eq!(serve(core, &mut None, 1).await, CoreEnd::ApiGone);
    let (api, core) = UnixStream::pair().unwrap();
    let (worker, of_core) = UnixStream::pair().unwrap();
    drop(worker);
    assert_eq!(
        serve(core, &mut Some((of_core, 1)), 1).await,
        CoreEnd::WorkerGone
    );
    drop(api);
}
