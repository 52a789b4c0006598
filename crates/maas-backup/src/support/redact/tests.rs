use proptest::prelude::*;

use super::*;

const KEY: &str = "sk-maas-ZfADG6WaEB0l_ehv1hsdOHPxDuX3xn9YyIKbgl4yJuySCWzdimD4heup0RV67B";

fn plain(text: &str) -> String {
    redact(text, &Secrets::default()).text
}

#[test]
fn secrets_go_and_the_rest_stays() {
    let cases = [
        format!("key {KEY} used"),
        format!("Authorization: Bearer {KEY}"),
        format!("{{\"api_key\": \"{KEY}\", \"model\": \"llama\"}}"),
        "sk-maas-ZfADG6WaEB0l revoked".to_owned(),
        format!("sk-maas-short_{}", "x".repeat(20)),
        "curl -H 'Authorization: Basic dXNlcjpwYXNz' x".to_owned(),
        "got bearer abcdef12345 from 10.0.0.1".to_owned(),
        "password=hunter2 user=ada".to_owned(),
        "DB_PASSWORD_1: correct horse battery".to_owned(),
        "password = \"with \\\" quote\" # why".to_owned(),
        "{\"hf_token\":\"hf_x\",\"max_tokens\":4096}".to_owned(),
        "{\\\"client_secret\\\": \\\"abc\\\", \\\"a\\\": 1}".to_owned(),
        "vllm --api-key abc --max-model-len 8192".to_owned(),
        "passphrase = '''\nmany\nlines\n''' end".to_owned(),
        "postgres://ada:pa:ss@db/x".to_owned(),
        "token_count=15 max_tokens: 4096 prompt_tokens=7".to_owned(),
        "loaded key sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            .to_owned(),
        "pepper e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(),
        "secret /var/lib/maas-appliance/gateway/state.db is private".to_owned(),
        "cookie: a=b; c=d".to_owned(),
        "ada@example.org asked".to_owned(),
    ];
    let redacted: Vec<_> = cases.iter().map(|text| plain(text)).collect();
    insta::assert_snapshot!(redacted.join("\n"), @r#"
    key sk-maas-ZfADG6WaEB0l_[api-key] used
    Authorization: Bearer sk-maas-ZfADG6WaEB0l_[api-key]
    {"api_key": "sk-maas-ZfADG6WaEB0l_[api-key]", "model": "llama"}
    sk-maas-ZfADG6WaEB0l revoked
    sk-maas-[api-key]
    curl -H 'Authorization: Basic [bearer]' x
    got bearer [bearer] from 10.0.0.1
    password=[secret] user=ada
    DB_PASSWORD_1: [secret]
    password = "[secret]" # why
    {"hf_token":"[secret]","max_tokens":4096}
    {\"client_secret\": \"[secret]\", \"a\": 1}
    vllm --api-key [secret] --max-model-len 8192
    passphrase = '''[secret]''' end
    postgres://ada:[secret]@db/x
    token_count=15 max_tokens: 4096 prompt_tokens=7
    loaded key sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    pepper [random]
    secret /var/lib/maas-appliance/gateway/state.db is private
    cookie: [secret]
    ada@example.org asked
    "#);
}

#[test]
fn addresses_go_when_asked() {
    let secrets = Secrets::new([], Email::Remove).unwrap();
    let text = redact("by ada.l@example.org, not a@b nor @c.d", &secrets).text;
    insta::assert_snapshot!(text, @"by [e-mail], not a@b nor @c.d");
}

#[test]
fn private_keys_go_whole_cut_or_prefixed() {
    let begin = "-----BEGIN PRIVATE KEY-----";
    let end = "-----END PRIVATE KEY-----";
    assert_eq!(
        plain(&format!("a\n{begin}\nMIIx\n{end}\nb")),
        "a\n[private-key]\nb"
    );
    assert_eq!(
        plain(&format!("a\n{begin}\nMIIx\nMIIy")),
        "a\n[private-key]"
    );
    assert_eq!(
        plain(&format!("h: {begin}\nh: MIIx\nh: {end}\n")),
        "h: [private-key]\n"
    );
    assert!(!plain(&format!("MIIx\nMIIy\n{end}\nb")).contains("MII"));
    let public = "-----BEGIN CERTIFICATE-----\nMIIx\n-----END CERTIFICATE-----\n";
    assert_eq!(plain(public), public);
}

#[test]
fn what_was_taken_out_is_counted() {
    let redacted = redact(&format!("{KEY} {KEY}\npassword=x\n"), &Secrets::default());
    let removed: Vec<_> = redacted.removed.into_iter().collect();
    assert_eq!(
        removed,
        [(SecretKind::ApiKey, 2), (SecretKind::Assigned, 1)]
    );
}

#[test]
fn a_long_line_is_cut_after_its_secrets_are_gone() {
    let text = format!("{}{KEY}\nnext\n", "a ".repeat(4090));
    let redacted = redact(&text, &Secrets::default());
    assert_eq!(redacted.cut_lines, 1);
    assert!(!redacted.text.contains("ehv1"));
    assert!(redacted.text.ends_with(" [line cut]\nnext\n"));
    assert!(
        redacted
            .text
            .lines()
            .all(|line| line.len() <= LONGEST_LINE + 11)
    );
}

#[test]
fn known_secrets_that_overlap_or_stand_in_marks_go() {
    let known = ["abcabcabc", "password", "[known]x", "bcabcabcab"].map(str::to_owned);
    let secrets = Secrets::new(known.clone(), Email::Keep).unwrap();
    for text in [
        "abcabcabcabcabcabc",
        "[knowabcabcabcn]x",
        "abcabcabcx",
        "password=[known]x",
    ] {
        let text = redact(text, &secrets).text;
        assert!(
            known.iter().all(|secret| !text.contains(secret.as_str())),
            "{text}"
        );
    }
    assert_eq!(redact("abcabcabcabcabc", &secrets).text, "[known]");
    Secrets::new(["short".to_owned()], Email::Keep).unwrap_err();
}

/// Text as logs have it, and worse.
fn noise() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        "[a-z=:\"'\\\\ \n_-]{0,40}",
        "(password|token|key|bearer )?[=: \"]{0,3}"
    ]
}

proptest! {
    #[test]
    fn no_known_secret_survives(
        secrets in proptest::collection::vec("\\PC{8,20}|[ab]{8,12}", 1..4),
        noise in proptest::collection::vec(noise(), 2..6),
    ) {
        let mut text = String::new();
        for (at, noise) in noise.iter().enumerate() {
            text.push_str(noise);
            text.push_str(&secrets[at % secrets.len()]);
        }
        let known = Secrets::new(secrets.clone(), Email::Keep).unwrap();
        let redacted = redact(&text, &known).text;
        for secret in secrets {
            prop_assert!(!redacted.contains(&secret), "{redacted:?}");
        }
    }

    #[test]
    fn no_key_token_or_private_key_survives(
        before in noise(), after in noise(), secret in "[A-Za-z0-9]{43}", id in "[A-Za-z0-9]{12}",
    ) {
        for text in [
            format!("{before}sk-maas-{id}_{secret}000000{after}"),
            format!("{before}Bearer {secret}{after}"),
            format!("{before}-----BEGIN EC PRIVATE KEY-----\n{secret}\n{after}"),
            format!("{before}\npassword={secret}{after}"),
            format!("{before}\n\"api_key\": \"{secret}\"{after}"),
            format!("{before}\nHF_TOKEN='{secret}'{after}"),
        ] {
            let redacted = plain(&text);
            prop_assert!(!redacted.contains(&secret), "{text:?} became {redacted:?}");
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "(\\PC|\n|password|://|-----BEGIN |-----END |PRIVATE KEY-----|sk-maas-|=|\"|\\\\|@){0,60}") {
        let secrets = Secrets::new(["x".repeat(8)], Email::Remove).unwrap();
        redact(&text, &secrets);
    }
}
