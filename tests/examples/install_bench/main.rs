//! Measures an installation against `dd`, on the machine and the file system at hand.
//!
//! ```text
//! cargo run --release -p maas-tests --example install_bench -- FOLDER [GIGABYTES [ROUNDS]]
//! ```
//!
//! Makes a bundle of random weights (8 GB unless told otherwise) in `FOLDER`, whose file system must
//! hold it twice, and removes it again. Each reading begins with an empty page cache, as far as a
//! caller may empty it; `dd` and `ingest` take turns, because a shared machine has moods. What is
//! measured runs as a child process, so that its peak memory is its own.

mod bundle;
mod measure;

use std::{fs, process::Command, time::Instant};

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{Media, Silent, verify_contents};
use maas_install::{Facts, Plan, Policy};
use maas_store::{Holder, Lock, MediaFolder, Progress, Store, TrustDb};
use maas_types::Layout;

use crate::{
    bundle::{EveryOther, GB, MB},
    measure::{Sample, Spread, child, forget_pages, gigabytes, object_files, sha256_speed},
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--child", what, source, root] => {
            let (source, root) = (Utf8Path::new(source), Utf8Path::new(root));
            match *what {
                "ingest" => child_ingest(source, root),
                "half" => child_half(source, root),
                "resume" => child_resume(source, root),
                _ => child_verify(source),
            }
        }
        [folder, rest @ ..] => {
            let number =
                |at: usize, or: u64| rest.get(at).map_or(or, |n| n.parse().expect("a number"));
            let folder = Utf8Path::new(folder).join("install-bench");
            bench(&folder, number(0, 8) * GB, number(1, 3));
            fs::remove_dir_all(&folder).unwrap();
        }
        [] => {
            eprintln!("usage: install_bench FOLDER [GIGABYTES [ROUNDS]]");
            std::process::exit(2);
        }
    }
}

fn bench(folder: &Utf8Path, bytes: u64, rounds: u64) {
    fs::remove_dir_all(folder).ok();
    let (source, root, copy) = (folder.join("stick"), folder.join("host"), folder.join("dd"));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let started = Instant::now();
    bundle::build(&source, bytes);
    let objects = object_files(&source);
    let total: u64 = objects.iter().map(|(_, size)| size).sum();
    eprintln!(
        "built {} in {} files in {:.0} s",
        gigabytes(total),
        objects.len(),
        started.elapsed().as_secs_f64()
    );
    let (mut dd, mut ingest) = (Spread::default(), Spread::default());
    let mut last = Sample::default();
    for round in 1..=rounds {
        dd.add(total, copy_with_dd(&objects, &copy));
        fs::remove_dir_all(&copy).unwrap();
        forget_pages(&objects);
        last = child("ingest", &source, &root);
        ingest.add(total, last.seconds);
        fs::remove_dir_all(&root).unwrap();
        eprintln!("round {round} of {rounds}: dd {dd}, ingest {ingest}");
    }
    let (mut read, mut verify) = (Spread::default(), Spread::default());
    let mut verified = Sample::default();
    for _ in 0..rounds {
        read.add(total, read_with_dd(&objects));
        forget_pages(&objects);
        verified = child("verify", &source, &root);
        verify.add(total, verified.seconds);
    }
    let half = child("half", &source, &root);
    forget_pages(&objects);
    let resume = child("resume", &source, &root);
    fs::remove_dir_all(&root).unwrap();
    let (one, all) = (sha256_speed(1), sha256_speed(cores));
    let limit = read.median().min(all);
    println!(
        "| {} in {} files, {cores} cores | median GB/s | min | max |",
        gigabytes(total),
        objects.len()
    );
    println!("|---|---|---|---|");
    println!("| `dd bs=8M conv=fsync` {dd:#} |");
    println!("| `Store::ingest` {ingest:#} |");
    println!("| `dd bs=8M` to `/dev/null` {read:#} |");
    println!("| `verify_contents` {verify:#} |");
    println!("| SHA-256, one core | {one:.2} | | |");
    println!("| SHA-256, {cores} cores | {all:.2} | | |");
    println!();
    println!("| what | measured |");
    println!("|---|---|");
    println!(
        "| ingest / dd, medians | {:.2} |",
        ingest.median() / dd.median()
    );
    println!("| ingest / dd, best | {:.2} |", ingest.best() / dd.best());
    println!(
        "| verify / min(read, cores x SHA-256) | {:.2} |",
        verify.median() / limit
    );
    println!(
        "| ingest: read, written | {}, {} bytes of {total} |",
        last.read, last.written
    );
    println!("| ingest: CPU | {:.1} s |", last.cpu_seconds);
    println!("| ingest: peak memory | {} MB |", last.peak_bytes / MB);
    println!("| verify: peak memory | {} MB |", verified.peak_bytes / MB);
    println!(
        "| resume with {} here: first new byte after | {:.0} ms |",
        gigabytes(half.written),
        resume.seconds * 1e3
    );
    plan_of_a_big_one(folder);
}

/// Two terabytes in parts: what is done before the first byte of them is read.
fn plan_of_a_big_one(folder: &Utf8Path) {
    let stick = folder.join("big");
    let parts = bundle::stand_in(&stick, 2_000 * GB);
    let (medium, layout) = (
        MediaFolder::open(&stick).unwrap(),
        Layout::new(folder.join("host")),
    );
    let media: [&dyn Media; 1] = [&medium];
    let started = Instant::now();
    let bundle = bundle::verified(&media);
    let metadata = started.elapsed();
    let started = Instant::now();
    let facts = Facts::gather(&layout, None, &bundle, &media, None, Policy::default()).unwrap();
    let plan = Plan::new(facts, &bundle);
    let planned = started.elapsed();
    assert_eq!(
        plan.needs.bytes_to_read,
        bundle.bill().blobs.iter().map(|b| b.size).sum::<u64>()
    );
    let json = serde_json::to_vec(&plan).unwrap();
    println!(
        "| 2 TB in {parts} parts: metadata verified | {:.0} ms |",
        metadata.as_secs_f64() * 1e3
    );
    println!(
        "| 2 TB in {parts} parts: facts and plan | {:.0} ms, {} kB as JSON |",
        planned.as_secs_f64() * 1e3,
        json.len() / 1000
    );
}

// === what runs as a child ===

struct Host {
    store: Store,
    lock: Lock,
    db: TrustDb,
}

fn host(root: &Utf8Path) -> Host {
    let layout = Layout::new(root);
    let holder = Holder {
        pid: std::process::id(),
        command: "install_bench".to_owned(),
        since: bundle::now(),
    };
    let lock = Lock::acquire(&layout, &holder).unwrap();
    Host {
        store: Store::new(&layout),
        db: TrustDb::open(&lock).unwrap(),
        lock,
    }
}

fn child_ingest(source: &Utf8Path, root: &Utf8Path) {
    let medium = MediaFolder::open(source).unwrap();
    let media: [&dyn Media; 1] = [&medium];
    let (bundle, host) = (bundle::verified(&media), host(root));
    let started = Instant::now();
    let done = host
        .store
        .ingest(&host.lock, &host.db, &bundle, &media, &mut |_| ())
        .unwrap();
    Sample::now(started.elapsed(), done.bytes_read, done.bytes_written).print();
}

/// Every other part, as if the others lay on another stick.
fn child_half(source: &Utf8Path, root: &Utf8Path) {
    let medium = EveryOther(MediaFolder::open(source).unwrap());
    let media: [&dyn Media; 1] = [&medium];
    let (bundle, host) = (bundle::verified(&media), host(root));
    let started = Instant::now();
    let (done, missing) = host
        .store
        .ingest_available(&host.lock, &host.db, &bundle, &media, &mut |_| ())
        .unwrap();
    assert!(missing.is_some());
    Sample::now(started.elapsed(), done.bytes_read, done.bytes_written).print();
}

/// Up to the first new byte, and then no further.
fn child_resume(source: &Utf8Path, root: &Utf8Path) {
    let started = Instant::now();
    let medium = MediaFolder::open(source).unwrap();
    let media: [&dyn Media; 1] = [&medium];
    let (bundle, host) = (bundle::verified(&media), host(root));
    host.store
        .ingest(&host.lock, &host.db, &bundle, &media, &mut |event| {
            if let Progress::Read(1..) = event {
                Sample::now(started.elapsed(), 0, 0).print();
                std::process::exit(0);
            }
        })
        .unwrap();
}

fn child_verify(source: &Utf8Path) {
    let medium = MediaFolder::open(source).unwrap();
    let media: [&dyn Media; 1] = [&medium];
    let bundle = bundle::verified(&media);
    let started = Instant::now();
    let report = verify_contents(&bundle, &media, &Silent);
    assert!(report.is_good(), "{report:?}");
    Sample::now(started.elapsed(), report.bytes, 0).print();
}

// === dd ===

fn copy_with_dd(objects: &[(Utf8PathBuf, u64)], to: &Utf8Path) -> f64 {
    fs::create_dir_all(to).unwrap();
    forget_pages(objects);
    let started = Instant::now();
    for (file, _) in objects {
        let copy = to.join(file.file_name().unwrap());
        dd(&[&format!("if={file}"), &format!("of={copy}"), "conv=fsync"]);
    }
    started.elapsed().as_secs_f64()
}

fn read_with_dd(objects: &[(Utf8PathBuf, u64)]) -> f64 {
    forget_pages(objects);
    let started = Instant::now();
    for (file, _) in objects {
        dd(&[&format!("if={file}"), "of=/dev/null"]);
    }
    started.elapsed().as_secs_f64()
}

fn dd(arguments: &[&str]) {
    let done = Command::new("dd")
        .args(["bs=8M", "status=none"])
        .args(arguments)
        .status();
    assert!(done.unwrap().success(), "dd {arguments:?}");
}
