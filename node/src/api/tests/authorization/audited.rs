//! What of all this is written down.

use reqwest::Method;
use serde_json::{Value, json};

use super::world::World;

fn lines(world: &World) -> Vec<Value> {
    let folder = &world.caller.solo.node.config.node.data_dir;
    let text = std::fs::read_to_string(folder.join("audit/operators.jsonl")).expect("readable");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_of_operators_are_written_down_and_secrets_and_strangers_are_not() {
    let world = World::start(|_, _| ()).await;
    let things = world.full().await;
    assert!(
        lines(&world).is_empty(),
        "guests and hosts are no operators"
    );
    let repairs = || {
        (
            "/admin/v1/repairs?secret=7".to_owned(),
            Some(json!({"shard": null})),
        )
    };
    for (who, expected) in [(None, 401), (Some("hal"), 403), (Some("olga"), 202)] {
        let answer = world.ask(who, Method::POST, repairs()).await;
        assert_eq!(answer.status(), expected);
    }
    let looked = ("/admin/v1/status".to_owned(), None);
    world.ask(Some("olga"), Method::GET, looked).await;
    // Also at the client API.
    let cancel = (format!("/v1/bookings/{}/cancel", things.booking), None);
    let answer = world.ask(Some("olga"), Method::POST, cancel.clone()).await;
    let id = answer.headers()["x-request-id"]
        .to_str()
        .expect("text")
        .to_owned();
    assert_eq!(answer.status(), 200);

    let told: Vec<_> = lines(&world)
        .into_iter()
        .map(|line| {
            let text = line.to_string();
            assert!(!text.contains("mk_") && !text.contains("secret"), "{text}");
            let of = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (
                of("subject"),
                of("happened"),
                of("path"),
                line["status"].clone(),
            )
        })
        .collect();
    let line = |who: &str, happened: &str, path: &str, status: Value| {
        (who.to_owned(), happened.to_owned(), path.to_owned(), status)
    };
    let repairs = "/admin/v1/repairs";
    let expected = [
        line("hal", "refused", repairs, Value::Null),
        line("olga", "asked", repairs, Value::Null),
        line("olga", "answered", repairs, json!(202)),
        line("olga", "asked", &cancel.0, Value::Null),
        line("olga", "answered", &cancel.0, json!(200)),
    ];
    assert_eq!(told, expected);
    assert_eq!(lines(&world)[4]["request_id"], json!(id));
    world.stop().await;
}
