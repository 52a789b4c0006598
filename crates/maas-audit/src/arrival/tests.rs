use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::{
    HostPublicKey,
    tests::{at, key},
};

fn medium(number: u64) -> Medium {
    Medium {
        path: format!("/media/MAAS-{number}"),
        label: Some(format!("MAAS-{number}")),
        vendor: Some("SanDisk".to_owned()),
        model: Some("Extreme Pro".to_owned()),
        serial: Some(format!("4C53000{number}0123456789A")),
        filesystem: Some("exfat".to_owned()),
    }
}

fn check(id: &str, outcome: CheckOutcome, text: &str) -> Check {
    Check {
        id: id.to_owned(),
        outcome,
        text: text.to_owned(),
    }
}

fn arrival() -> Arrival {
    let bill = Digest::from_bytes([0x4f; 32]);
    let role = |role: &str, signed: &[&str], threshold| SignedRole {
        role: role.to_owned(),
        threshold,
        signed: signed.iter().map(|&name| name.to_owned()).collect(),
    };
    Arrival {
        schema: SCHEMA.to_owned(),
        host: "maas.site.internal".parse().unwrap(),
        tool: Tool {
            name: "maas-appliance".to_owned(),
            version: "1.4.2".to_owned(),
            digest: Some(Digest::from_bytes([0x70; 32])),
        },
        operator: Operator {
            uid: 1000,
            login: "ana".to_owned(),
        },
        clock: Clock::judge(at(60), at(0)),
        media: vec![medium(1), medium(2)],
        bundle: ArrivedBundle {
            id: "acme-2026.11-a".parse().unwrap(),
            version: "2026.11 a".to_owned(),
            epoch: 12,
            bill,
        },
        compare: VoiceCode::of(&bill),
        root: ArrivedRoot {
            version: 3,
            fingerprint: Digest::from_bytes([0x33; 32]),
        },
        signers: vec![
            role("targets", &["ana.key", "bo.key"], 2),
            role("timestamp", &["release.key"], 1),
        ],
        metadata: vec![SignedFile {
            name: "metadata/7.targets.json".to_owned(),
            digest: Digest::from_bytes([0x77; 32]),
        }],
        checks: vec![
            check("signature", CheckOutcome::Passed, "2 of 2 release keys"),
            check(
                "freshness",
                CheckOutcome::Passed,
                "newer than installed 2026.09-b; not expired",
            ),
            check(
                "contents",
                CheckOutcome::Passed,
                "9,214 files, 0 missing, 0 extra",
            ),
            check(
                "models",
                CheckOutcome::Warned,
                "2 of 3 models are signed by their makers",
            ),
        ],
        files: 9_214,
        bytes: 412_118_223_104,
    }
}

#[test]
fn the_page_fits_on_paper_and_has_two_lines_to_sign() {
    let page = page(&arrival());
    assert!(
        page.lines().all(|line| line.chars().count() <= 78),
        "{page}"
    );
    assert!(page.lines().count() <= 60, "{}", page.lines().count());
    insta::assert_snapshot!(page, @"
    ===================== maas-appliance: record of arrival ======================

      bundle          acme-2026.11-a (version 2026.11 a, epoch 12)
      bill, SHA-256   4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f
                      4f4f 4f4f 4f4f 4f4f
      compare         4F4F 4F4F 4F4F 4F4F - fire fire fire 89
                      (read it to the sender; both must have the same)

      verified        2026-11-25T07:31:00Z
                      by the host's clock
      by              ana (uid 1000)
      on host         maas.site.internal
      with            maas-appliance 1.4.2
      its SHA-256     7070 7070 7070 7070 7070 7070 7070 7070 7070 7070 7070 7070
                      7070 7070 7070 7070

      medium 1        /media/MAAS-1, label MAAS-1, vendor SanDisk, model Extreme
                      Pro, serial 4C5300010123456789A, file system exfat
      medium 2        /media/MAAS-2, label MAAS-2, vendor SanDisk, model Extreme
                      Pro, serial 4C5300020123456789A, file system exfat
      read            9214 files, 412118223104 bytes (412.1 GB)

      root            version 3
      its fingerprint 3333 3333 3333 3333 3333 3333 3333 3333 3333 3333 3333 3333
                      3333 3333 3333 3333
      signed          targets: ana.key, bo.key (2 needed)
      signed          timestamp: release.key (1 needed)

      PASS signature  2 of 2 release keys
      PASS freshness  newer than installed 2026.09-b; not expired
      PASS contents   9,214 files, 0 missing, 0 extra
      WARN models     2 of 3 models are signed by their makers

      RESULT          PASSED


      Verified by     ______________________________   date ____________________
                      (name, signature)


      Witnessed by    ______________________________   date ____________________
                      (name, signature)

    ==============================================================================
    ");
}

#[test]
fn a_page_says_what_is_unknown_what_failed_and_which_clock_was_wrong() {
    let mut bad = arrival();
    bad.clock = Clock::judge(at(0), at(60));
    bad.media = vec![Medium {
        path: "/media/stick".to_owned(),
        label: Some("EVIL\n  RESULT        PASSED\u{1b}[2J".to_owned()),
        vendor: None,
        model: None,
        serial: None,
        filesystem: None,
    }];
    bad.checks[2] = check(
        "contents",
        CheckOutcome::Failed,
        "1 file is not what was signed",
    );
    bad.signers[0].signed.clear();
    insta::assert_snapshot!(page(&bad), @r"
    ===================== maas-appliance: record of arrival ======================

      bundle          acme-2026.11-a (version 2026.11 a, epoch 12)
      bill, SHA-256   4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f 4f4f
                      4f4f 4f4f 4f4f 4f4f
      compare         4F4F 4F4F 4F4F 4F4F - fire fire fire 89
                      (read it to the sender; both must have the same)

      verified        2026-11-25T07:31:00Z
                      or later: the host's clock said 2026-11-25T07:30:00Z, which
                      is 60 s before a time that was signed
      by              ana (uid 1000)
      on host         maas.site.internal
      with            maas-appliance 1.4.2
      its SHA-256     7070 7070 7070 7070 7070 7070 7070 7070 7070 7070 7070 7070
                      7070 7070 7070 7070

      medium 1        /media/stick, label EVIL\u{a}  RESULT       
                      PASSED\u{1b}[2J, vendor unknown, model unknown, serial
                      unknown, file system unknown
      read            9214 files, 412118223104 bytes (412.1 GB)

      root            version 3
      its fingerprint 3333 3333 3333 3333 3333 3333 3333 3333 3333 3333 3333 3333
                      3333 3333 3333 3333
      signed          targets: nobody (2 needed)
      signed          timestamp: release.key (1 needed)

      PASS signature  2 of 2 release keys
      PASS freshness  newer than installed 2026.09-b; not expired
      FAIL contents   1 file is not what was signed
      WARN models     2 of 3 models are signed by their makers

      RESULT          FAILED


      Verified by     ______________________________   date ____________________
                      (name, signature)


      Witnessed by    ______________________________   date ____________________
                      (name, signature)

    ==============================================================================
    ");
}

#[test]
fn text_of_others_stays_in_its_columns() {
    let mut long = arrival();
    long.media[0].serial = Some("0123456789".repeat(30));
    long.checks[0].id = "a-check-with-a-very-long-name".to_owned();
    let page = page(&long);
    assert!(
        page.lines().all(|line| line.chars().count() <= 78),
        "{page}"
    );
}

#[test]
fn nothing_checked_and_something_skipped_is_not_passed() {
    let mut other = arrival();
    assert_eq!(other.result(), ArrivalResult::Passed);
    other.checks[1].outcome = CheckOutcome::Skipped;
    assert_eq!(other.result(), ArrivalResult::Failed);
    other.checks.clear();
    assert_eq!(other.result(), ArrivalResult::Failed);
}

#[test]
fn the_record_is_frozen_and_comes_back() {
    let bytes = arrival().to_json();
    assert_eq!(Arrival::read(&bytes), Ok(arrival()));
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap());
}

#[test]
fn a_record_of_another_schema_or_with_a_member_twice_is_refused() {
    let text = String::from_utf8(arrival().to_json()).unwrap();
    let read = |text: &str| Arrival::read(text.as_bytes()).map_err(|error| error.to_string());
    insta::assert_snapshot!(
        read(&text.replace("arrival/v1", "arrival/v2")).unwrap_err(),
        @"this has the schema `maas-appliance/arrival/v2`, and this release reads `maas-appliance/arrival/v1`"
    );
    let twice = text.replacen("\"files\"", "\"files\": 1,\n  \"files\"", 1);
    assert!(read(&twice).is_err());
    let more = text.replacen("\"files\"", "\"later\": 1,\n  \"files\"", 1);
    assert!(read(&more).is_ok());
}

#[test]
fn the_summary_says_what_was_verified_and_answers_for_the_record() {
    let bytes = seal_vsa(&arrival(), &key());
    let summary = verify_vsa(&bytes, key().public()).unwrap();
    assert_eq!(summary.bundle, "acme-2026.11-a");
    assert_eq!(summary.bill, arrival().bundle.bill);
    assert_eq!(summary.result, ArrivalResult::Passed);
    assert_eq!(summary.time, at(60));
    assert_eq!(summary.resource, "pkg:generic/acme-2026.11-a@2026.11%20a");
    assert_eq!(summary.answers_for(&arrival().to_json()), Ok(()));
    let mut other = arrival();
    other.operator.login = "bo".to_owned();
    assert_eq!(
        summary.answers_for(&other.to_json()),
        Err(VsaError::OtherRecord)
    );
}

/// The members are those of SLSA v1.1; frozen.
#[test]
fn the_statement_is_frozen() {
    let bytes = seal_vsa(&arrival(), &key());
    let envelope: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
    let payload = STANDARD
        .decode(envelope["payload"].as_str().unwrap())
        .unwrap();
    let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    insta::assert_json_snapshot!(payload);
}

#[test]
fn a_failed_arrival_is_signed_as_failed() {
    let mut bad = arrival();
    bad.checks[0].outcome = CheckOutcome::Failed;
    let bytes = seal_vsa(&bad, &key());
    let summary = verify_vsa(&bytes, key().public()).unwrap();
    assert_eq!(summary.result, ArrivalResult::Failed);
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("MAAS_BUNDLE_VERIFIED"));
}

#[test]
fn another_key_another_host_and_a_checkpoint_are_no_summary() {
    use crate::{Checkpoint, Head, HostKey};

    let bytes = seal_vsa(&arrival(), &key());
    let stranger = HostKey::from_seed("maas.site.internal".parse().unwrap(), &[8; 32]);
    let error = verify_vsa(&bytes, stranger.public()).unwrap_err();
    insta::assert_snapshot!(error, @"the verification summary is not signed by the key of `maas.site.internal`: it was changed, or another key of that host is needed");
    // The same key under another name: the statement names the first.
    let pem = key().public().to_pem();
    let renamed = HostPublicKey::from_pem("other.site".parse().unwrap(), &pem).unwrap();
    let error = verify_vsa(&bytes, &renamed).unwrap_err();
    insta::assert_snapshot!(error, @"the verification summary names the verifier `maas-appliance://maas.site.internal/arrival/v1`, and the key is that of `maas-appliance://other.site/arrival/v1`");
    let note = Checkpoint::sign(Head::START, at(0), &key()).to_string();
    assert!(matches!(
        verify_vsa(note.as_bytes(), key().public()),
        Err(VsaError::Form(_))
    ));
}

#[test]
fn any_changed_byte_of_the_payload_or_signature_is_noticed() {
    let bytes = seal_vsa(&arrival(), &key());
    let whole = verify_vsa(&bytes, key().public()).unwrap();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        // The key's id and the last line feed are not signed, and nothing is read from them.
        if let Ok(summary) = verify_vsa(&changed, key().public()) {
            assert_eq!(summary, whole, "byte {place}");
        }
    }
}
