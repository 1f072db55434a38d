//! The page and its files: nothing runs but what the binary has.

use serde_json::{Value, json};

use super::super::assets::{BUILD, FILES, address};
use super::super::page::inert;
use super::{EVIL, Visitor};

#[tokio::test(flavor = "multi_thread")]
async fn page_lets_nothing_run_but_the_files_of_the_binary() {
    let visitor = Visitor::start().await;
    visitor.listing(EVIL).await;
    let answer = visitor.visit("/console").await;
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    let policy = header("content-security-policy");
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(rule), "{rule}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = answer.text().await.expect("a page");
    for attribute in [" src=\"", " href=\""] {
        for address in page.split(attribute).skip(1) {
            let is_ours = address.starts_with("/") || address.starts_with("#");
            assert!(is_ours && !address.starts_with("//"), "{address}");
        }
    }
    let scripts: Vec<&str> = page.split("<script").skip(1).collect();
    assert_eq!(
        scripts.len(),
        3,
        "theme, app, and the snapshot that nobody runs"
    );
    for script in scripts {
        let (attributes, content) = script.split_once('>').expect("it ends");
        let is_data = attributes.contains("type=\"application/json\"");
        assert!(is_data || content.starts_with("</script>"), "{script}");
    }
    visitor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn page_has_the_verdict_and_a_snapshot_before_any_script_has_run() {
    let visitor = Visitor::start().await;
    let page = visitor.visit("/console").await.text().await.expect("text");
    let (_, rest) = page.split_once("type=\"application/json\">").expect("data");
    let (data, _) = rest.split_once("</script>").expect("it ends");
    let snapshot: Value = serde_json::from_str(data).expect("JSON");
    let headline = snapshot["banner"]["headline"].as_str().expect("a verdict");
    let headline = maud::html! { h1 { (headline) } }.into_string();
    assert!(page.contains(&headline), "{headline}");
    assert_eq!(snapshot["scope"], "node", "nobody else was waited for");
    assert_eq!(snapshot["regions"][0]["id"], "eu-west");
    assert_eq!(snapshot["nodes"][0]["figures"]["listings"], 0);
    visitor.stop().await;
}

#[test]
fn data_of_the_page_cannot_end_the_element_that_it_stands_in() {
    let data = json!({"title": EVIL, EVIL: ["<!--", "]]>"]});
    let written = inert(&data);
    for letter in ['<', '>', '&'] {
        assert!(!written.contains(letter), "{written}");
    }
    let read: Value = serde_json::from_str(&written).expect("JSON");
    assert_eq!(read, data);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_kept_for_good_and_those_of_another_binary_are_not_here() {
    let visitor = Visitor::start().await;
    for (name, kind, text) in FILES {
        let answer = visitor.visit(&address(name)).await;
        assert_eq!(answer.status(), 200, "{name}");
        assert_eq!(answer.headers()["content-type"], kind);
        let kept = answer.headers()["cache-control"].to_str().expect("text");
        assert!(kept.contains("immutable"), "{kept}");
        assert_eq!(answer.text().await.expect("text"), text, "{name}");
    }
    let app = format!("{}{}", visitor.admin, address("app.js"));
    let packed = visitor.http.get(&app).header("Accept-Encoding", "br, gzip");
    let packed = packed.send().await.expect("sent");
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["vary"], "accept-encoding");
    let tag = packed.headers()["etag"].clone();
    let again = visitor.http.get(&app).header("If-None-Match", tag);
    assert_eq!(again.send().await.expect("sent").status(), 304);
    let whole = visitor.http.get(&app).header("Accept-Encoding", "gzip;q=0");
    let whole = whole.send().await.expect("sent");
    assert!(!whole.headers().contains_key("content-encoding"));
    for unknown in [
        "/console/assets/0000000000000000/app.js".to_owned(),
        format!("/console/assets/{}/other.js", *BUILD),
    ] {
        assert_eq!(visitor.visit(&unknown).await.status(), 404, "{unknown}");
    }
    visitor.stop().await;
}

/// Ways by which a text becomes markup or a program; the page's policy refuses them, too.
const WAYS: [&str; 9] = [
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "createContextualFragment",
    "parseFromString",
    "srcdoc",
    "eval(",
    "new Function",
];

#[test]
fn scripts_make_no_markup_of_texts_and_find_each_other() {
    let names: Vec<&str> = FILES.iter().map(|(name, ..)| *name).collect();
    for (name, _, text) in FILES.iter().filter(|(name, ..)| name.ends_with(".js")) {
        for way in WAYS {
            assert!(!text.contains(way), "{name} has {way}");
        }
        for import in text.split(" from \"./").skip(1) {
            let (imported, _) = import.split_once('"').expect("it ends");
            assert!(names.contains(&imported), "{name} imports {imported}");
        }
    }
}
