//! The document says what the routers answer, no more and no less.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rollcall_core::language::render;
use serde_json::Value;

use super::DOCUMENT;
use crate::fixture::{PARTNER, Site};
use crate::newcomer::Proposal;
use crate::partners::Folders;

/// The paths that the sources of the routers name.
fn routed() -> BTreeSet<String> {
    let routers = [
        ("", include_str!("../../routes.rs")),
        ("/api/v1", include_str!("../api.rs")),
        ("/admin/v1", include_str!("../admin.rs")),
        (crate::routes::oneroster::BASE, include_str!("../oneroster.rs")),
    ];
    let mut found = BTreeSet::new();
    for (prefix, source) in routers {
        for call in source.split(".route(").skip(1) {
            let argument = call.trim_start();
            let path = match argument.strip_prefix('"') {
                Some(path) => path.split('"').next().unwrap_or_default(),
                None if argument.starts_with("document::STYLE") => super::STYLE,
                None => panic!("{prefix}: name the path of this route where it is made: {}", &argument[..40]),
            };
            found.insert(format!("{prefix}{path}"));
        }
    }
    found
}

/// A path with something in place of its parameters.
fn filled(path: &str) -> String {
    path.split('/').map(|step| if step.starts_with('{') { "x" } else { step }).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_documented_with_its_methods_and_nothing_else_is() {
    let server = Site::new().start().await;
    let documented: BTreeMap<_, _> = DOCUMENT["paths"].as_object().unwrap().iter().collect();
    let named: BTreeSet<_> = documented.keys().map(|path| (*path).clone()).collect();
    let routed = routed();
    let forgotten: Vec<_> = routed.difference(&named).collect();
    assert!(forgotten.is_empty(), "add to routes/document/ours.rs: {forgotten:?}");
    let gone: Vec<_> = named.difference(&routed).collect();
    assert!(gone.is_empty(), "no router has what routes/document/ours.rs says: {gone:?}");
    for (path, item) in documented {
        let reply = server.send("TRACE", &filled(path), &[], "").await;
        assert_eq!(reply.status, 405, "{path}");
        let allowed = reply.headers["allow"].to_str().unwrap().to_lowercase();
        let allowed: BTreeSet<_> = allowed.split(',').filter(|method| *method != "head").map(str::to_owned).collect();
        let methods: BTreeSet<_> = item.as_object().unwrap().keys().cloned().collect();
        assert_eq!(methods, allowed, "{path}");
    }
}

/// A validator of what an operation answers.
fn answer_of(path: &str, method: &str) -> jsonschema::Validator {
    let pointer = |step: &str| step.replace('/', "~1").replace('{', "%7B").replace('}', "%7D");
    let at = format!("#/paths/{}/{method}/responses/200/content/application~1json/schema", pointer(path));
    let mut root = DOCUMENT.clone();
    root["$ref"] = Value::String(at);
    jsonschema::options().offline().build(&root).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_is_as_documented() {
    let server = Site::new().start().await;
    let attack = r#"[{"id": 1, "do": "nothing"}]"#;
    let sent = server.call("POST", &format!("/{PARTNER}/attacks"), "school", attack).await;
    let delivery = sent.delivery.unwrap();
    let room = "/admin/v1/tenants/north/connections/school/records/Room";
    let bearer = [("authorization", "Bearer operator")];
    for (path, method, asked, body) in [
        ("/api/v1/changes", "get", "/api/v1/changes".to_owned(), ""),
        ("/api/v1/deliveries", "get", "/api/v1/deliveries?limit=1".to_owned(), ""),
        ("/api/v1/deliveries/{id}", "get", format!("/api/v1/deliveries/{delivery}"), ""),
        ("/api/v1/entities/{kind}", "get", "/api/v1/entities/org".to_owned(), ""),
        (
            "/admin/v1/tenants/{tenant}/connections/{connection}/records/{record}",
            "put",
            room.to_owned(),
            r#"{"code": "R1"}"#,
        ),
        ("/admin/v1/tenants/{tenant}/connections/{connection}/records/{record}", "get", room.to_owned(), ""),
        ("/admin/v1/erasures", "get", "/admin/v1/erasures".to_owned(), ""),
        ("/openapi.json", "get", "/openapi.json".to_owned(), ""),
    ] {
        let reply = server.send(&method.to_uppercase(), &asked, &bearer, body).await;
        assert_eq!(reply.status, 200, "{method} {asked}: {}", reply.body);
        let validator = answer_of(path, method);
        let wrong: Vec<_> = validator.iter_errors(&reply.body).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{method} {asked}: {wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_need_nothing_from_elsewhere() {
    let server = Site::new().start().await;
    for path in ["/docs".to_owned(), format!("/{PARTNER}/docs")] {
        let reply = server.send("GET", &path, &[], "").await;
        assert_eq!((reply.status, reply.headers["content-type"].to_str().unwrap()), (200, "text/html; charset=utf-8"));
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
    }
    assert_eq!(server.send("GET", super::STYLE, &[], "").await.status, 200);
    assert_eq!(server.send("POST", &format!("/{PARTNER}/docs"), &[], "").await.status, 404);
    let page = super::page::render(&DOCUMENT);
    for fetched in ["src=", "http://", "https://", "<script", "@import"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    for shown in ["/api/v1/changes", "Rollcall-Dry-Run", "schema-Delivery"] {
        assert!(page.contains(shown), "{shown} is not shown");
    }
}

#[test]
fn our_own_document_becomes_a_partner() {
    let root = tempfile::tempdir().unwrap();
    let vendor = root.path().join("openapi.json");
    std::fs::write(&vendor, DOCUMENT.to_string()).unwrap();
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
    let canonical = Folders { schemas, mappers: std::path::PathBuf::new() }.canonical().unwrap();
    let proposal = Proposal::for_document(&vendor, "hub", &canonical).unwrap();
    let folder = root.path().join("hub");
    std::fs::create_dir(&folder).unwrap();
    std::fs::rename(&vendor, folder.join("openapi.yaml")).unwrap();
    std::fs::write(folder.join("overlay.yaml"), proposal.text()).unwrap();
    let problems = rollcall_core::description::check(&folder, &canonical, &|_: &str| true);
    assert!(problems.is_empty(), "{}", render(&problems, false));
    assert!(proposal.kept().contains(&"GET /api/v1/deliveries".to_owned()), "{:?}", proposal.left_out());
    assert!(!proposal.left_out().is_empty());
}
