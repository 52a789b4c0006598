//! The page that two people sign: plain text, 78 columns, one A4 page for a bundle on a few sticks.

use std::fmt::Write as _;

use maas_types::{ByteSize, Digest, json::plain};

use super::{Arrival, Medium, TrustedClock};

const WIDTH: usize = 78;
/// Where the second column begins.
const INDENT: usize = 18;

/// The page. Nothing of it is signed but by the people who sign below.
pub fn page(arrival: &Arrival) -> String {
    let mut page = format!("{:=^WIDTH$}\n\n", " maas-appliance: record of arrival ");
    let bundle = &arrival.bundle;
    row(
        &mut page,
        "bundle",
        &format!(
            "{} (version {}, epoch {})",
            bundle.id,
            plain(&bundle.version),
            bundle.epoch
        ),
    );
    row(&mut page, "bill, SHA-256", &groups(&bundle.bill));
    row(&mut page, "compare", arrival.compare.as_str());
    row(
        &mut page,
        "",
        "(read it to the sender; both must have the same)",
    );
    people_and_time(&mut page, arrival);
    media(&mut page, arrival);
    trust(&mut page, arrival);
    checks(&mut page, arrival);
    signatures(&mut page);
    page
}

fn people_and_time(page: &mut String, arrival: &Arrival) {
    page.push('\n');
    let clock = &arrival.clock;
    row(page, "verified", &format!("{:.0}", clock.time()));
    let source = match clock.trusted() {
        TrustedClock::Host => "by the host's clock".to_owned(),
        TrustedClock::Floor => format!(
            "or later: the host's clock said {:.0}, which is {} s before a time that was signed",
            clock.host(),
            clock.seconds_behind()
        ),
    };
    row(page, "", &source);
    let operator = &arrival.operator;
    let login = plain(&operator.login);
    row(page, "by", &format!("{login} (uid {})", operator.uid));
    row(page, "on host", arrival.host.as_str());
    let tool = &arrival.tool;
    let name = format!("{} {}", plain(&tool.name), plain(&tool.version));
    row(page, "with", &name);
    if let Some(digest) = &tool.digest {
        row(page, "its SHA-256", &groups(digest));
    }
}

fn media(page: &mut String, arrival: &Arrival) {
    page.push('\n');
    for (index, medium) in arrival.media.iter().enumerate() {
        row(page, &format!("medium {}", index + 1), &in_words(medium));
    }
    let (files, bytes) = (arrival.files, arrival.bytes);
    row(
        page,
        "read",
        &format!("{files} files, {bytes} bytes ({})", ByteSize(bytes)),
    );
}

fn in_words(medium: &Medium) -> String {
    let known = [
        ("label", &medium.label),
        ("vendor", &medium.vendor),
        ("model", &medium.model),
        ("serial", &medium.serial),
        ("file system", &medium.filesystem),
    ];
    let mut words = plain(&medium.path);
    for (what, value) in known {
        let value = value.as_deref().map_or("unknown".to_owned(), plain);
        let _ = write!(words, ", {what} {value}");
    }
    words
}

fn trust(page: &mut String, arrival: &Arrival) {
    page.push('\n');
    let root = &arrival.root;
    row(page, "root", &format!("version {}", root.version));
    row(page, "its fingerprint", &groups(&root.fingerprint));
    for signers in &arrival.signers {
        let names: Vec<_> = signers.signed.iter().map(|name| plain(name)).collect();
        row(
            page,
            "signed",
            &format!(
                "{}: {} ({} needed)",
                plain(&signers.role),
                if names.is_empty() {
                    "nobody".to_owned()
                } else {
                    names.join(", ")
                },
                signers.threshold
            ),
        );
    }
}

fn checks(page: &mut String, arrival: &Arrival) {
    page.push('\n');
    for check in &arrival.checks {
        let (word, id) = (check.outcome.word(), plain(&check.id));
        row(page, &format!("{word} {id}"), &plain(&check.text));
    }
    let _ = writeln!(page, "\n  RESULT          {}", arrival.result().word());
}

fn signatures(page: &mut String) {
    for who in ["Verified by", "Witnessed by"] {
        let _ = write!(
            page,
            "\n\n  {who:<15} ______________________________   date ____________________\n"
        );
        let _ = writeln!(page, "  {:<15} (name, signature)", "");
    }
    let _ = writeln!(page, "\n{:=^WIDTH$}", "");
}

/// 64 hex digits in groups of four, which the eye does not lose.
fn groups(digest: &Digest) -> String {
    let groups: Vec<_> = digest.as_bytes().chunks(2).map(hex::encode).collect();
    groups.join(" ")
}

/// A row of two columns; the second is broken between words, or within a word that is longer than it.
fn row(page: &mut String, name: &str, text: &str) {
    let room = WIDTH - INDENT;
    let mut name = name;
    for line in broken(text, room) {
        // A name too long for its column gets a line of its own.
        if name.chars().count() + 3 > INDENT {
            let _ = writeln!(page, "  {name}");
            name = "";
        }
        let _ = writeln!(page, "  {name:<width$}{line}", width = INDENT - 2);
        name = "";
    }
}

fn broken(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut letters: Vec<char> = word.chars().collect();
        loop {
            let line = lines.last_mut().expect("there is a line");
            let used = line.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + letters.len() <= room {
                if gap == 1 {
                    line.push(' ');
                }
                line.extend(letters);
                break;
            }
            if used == 0 {
                line.extend(letters.drain(..room));
            }
            lines.push(String::new());
        }
    }
    lines
}
