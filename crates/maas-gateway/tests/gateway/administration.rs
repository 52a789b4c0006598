//! What the command line does through the administrative socket.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use maas_gateway::admin::ClientError;
use maas_keys::{Entropy, Limits, ModelAccess, NewKey, NewTeam, TeamSettings, UsageBy, UsageQuery};
use maas_types::{Exit, TeamName};
use serde_json::json;

use crate::support::{House, noon};

fn team(name: &str) -> TeamName {
    name.parse().unwrap()
}

fn new_key(of: &str) -> NewKey {
    NewKey {
        team: team(of),
        user: Some("dana".parse().unwrap()),
        name: "workstation".to_owned(),
        models: ModelAccess::All,
        expires: None,
        limits: Limits::default(),
    }
}

/// A request with this key instead of the house's.
async fn status_with(house: &House, key: &str) -> StatusCode {
    let mut request = house.request(Method::GET, "/v1/models", "");
    let value = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", value);
    house.send(request).await.status
}

#[tokio::test]
async fn a_created_key_works_at_once_and_a_revoked_one_no_longer() {
    let house = House::new().await;
    let created = house.admin.create_key(&new_key("blue")).await.unwrap();
    assert_eq!(status_with(&house, &created.secret).await, StatusCode::OK);
    house.admin.revoke_key(&created.key.id).await.unwrap();
    let after = status_with(&house, &created.secret).await;
    assert_eq!(after, StatusCode::UNAUTHORIZED);
    let listed = house.admin.keys(Some(&team("blue"))).await.unwrap();
    let listed = listed.iter().find(|key| key.id == created.key.id).unwrap();
    assert!(listed.revoked.is_some());
    assert!(!format!("{created:?}").contains(&created.secret));
}

#[tokio::test]
async fn a_disabled_team_is_out_with_all_its_keys_until_it_is_enabled() {
    let house = House::new().await;
    let created = house.admin.create_key(&new_key("blue")).await.unwrap();
    let keys = [house.key.clone(), created.secret];
    for (enabled, want) in [
        (false, StatusCode::UNAUTHORIZED),
        (true, StatusCode::OK),
        (false, StatusCode::UNAUTHORIZED),
    ] {
        if enabled {
            house.admin.enable_team(&team("blue")).await.unwrap();
        } else {
            house.admin.disable_team(&team("blue")).await.unwrap();
        }
        for key in &keys {
            assert_eq!(status_with(&house, key).await, want);
        }
    }
}

#[tokio::test]
async fn an_expired_key_is_refused_with_the_reason() {
    let house = House::new().await;
    let mut new = new_key("blue");
    new.expires = Some(noon());
    // Made yesterday, for a day.
    let yesterday = noon() - SignedDuration::from_hours(24);
    let entropy = Entropy::from_bytes([43; 48]);
    let (_, secret) = house.registry.create_key(new, yesterday, &entropy).unwrap();
    let mut request = house.request(Method::GET, "/v1/models", "");
    let value = secret.expose().parse().unwrap();
    request.headers_mut().remove("authorization");
    request.headers_mut().insert("x-api-key", value);
    let answer = house.send(request).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let text = answer.text().await;
    assert!(text.contains("has expired"), "{text}");
}

#[tokio::test]
async fn changed_limits_hold_for_the_next_request() {
    let house = House::new().await;
    let settings = TeamSettings {
        limits: Limits {
            requests_per_minute: Some(0),
            ..Limits::default()
        },
        models: ModelAccess::All,
    };
    house
        .admin
        .change_team(&team("blue"), &settings)
        .await
        .unwrap();
    let body = json!({"model": "tiny", "prompt": "x", "max_tokens": 1}).to_string();
    let answer = house.post("/v1/completions", &body).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("x-should-retry"), Some("false"));
}

#[tokio::test]
async fn what_does_not_exist_or_exists_already_is_told_apart() {
    let house = House::new().await;
    let again = NewTeam {
        name: team("blue"),
        settings: TeamSettings::default(),
    };
    let errors = [
        house.admin.create_team(&again).await.unwrap_err(),
        house.admin.create_key(&new_key("green")).await.unwrap_err(),
        house
            .admin
            .revoke_key(&"AAAAAAAAAAAA".parse().unwrap())
            .await
            .unwrap_err(),
    ];
    let shown: Vec<_> = errors
        .iter()
        .map(|error| format!("{} {error}", error.exit().code()))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    1 team `blue` exists already
    7 no team `green`
    7 no key `AAAAAAAAAAAA`
    ");
}

#[tokio::test]
async fn usage_counts_the_requests_of_today() {
    let house = House::new().await;
    let body = json!({"model": "tiny", "prompt": "x", "max_tokens": 3}).to_string();
    for _ in 0..3 {
        assert_eq!(
            house.post("/v1/completions", &body).await.status,
            StatusCode::OK
        );
    }
    let today = house.registry.day(noon()).date;
    for by in [UsageBy::Team, UsageBy::Key, UsageBy::Model, UsageBy::Day] {
        let query = UsageQuery {
            by,
            from: today,
            to: today,
        };
        let report = house.admin.usage(&query).await.unwrap();
        assert_eq!(report.total.requests, 3, "{by:?}");
        assert_eq!(report.total.usage.output, 9, "{by:?}");
        assert_eq!(report.rows.len(), 1, "{by:?}");
    }
}

#[tokio::test]
async fn the_administrative_routes_are_not_on_the_port_of_the_clients() {
    let house = House::new().await;
    for path in ["/admin/v1/status", "/admin/v1/teams", "/admin/v1/keys"] {
        assert_eq!(
            house.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn without_a_gateway_the_command_line_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let root = camino::Utf8Path::from_path(folder.path()).unwrap();
    let client = maas_gateway::admin::Client::new(&maas_types::Layout::new(root));
    let error = client.status().await.unwrap_err();
    assert!(matches!(error, ClientError::NotRunning { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Down);
}
