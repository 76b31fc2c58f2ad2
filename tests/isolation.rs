//! A tenant's reader sees that tenant and nothing else, on every route that reads.

use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::sync;
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::Server;
use serde_json::Value;

use crate::state::{ONEROSTER, deliveries, entities};
use crate::{on_every_database, site_on};

on_every_database!(no_read_route_shows_another_tenants_data, the_same_school_in_two_tenants_is_two_schools,);

/// The kinds of entity that a school has.
const KINDS: [&str; 6] = ["org", "academicSession", "course", "class", "user", "enrollment"];

/// The lists of the OneRoster API.
const LISTS: [&str; 10] = [
    "orgs",
    "schools",
    "academicSessions",
    "terms",
    "courses",
    "classes",
    "users",
    "students",
    "teachers",
    "enrollments",
];

fn no_read_route_shows_another_tenants_data(kind: Kind) {
    let mut site = site_on(kind);
    for tenant in ["north", "south"] {
        let year = serde_json::json!({ "name": format!("{tenant} year"), "start": "2026-09-01", "end": "2027-06-30" });
        site.config["tenants"][tenant]["connections"]["school"]["options"]["schoolYear"] = year;
    }
    let server = site.start();
    let mut payload = Payload::of(Size::SMALL);
    payload.branches[0].name = "Northern Lights".into();
    sync(&server, "north-school", &payload);
    let (lists, singles) = read_routes(&server);
    assert_eq!(lists.len(), LISTS.len() + KINDS.len() + 2);

    for path in &lists {
        // A school year is not a term.
        let empty = path.ends_with("/terms");
        assert!(empty || shows_anything(&server, path, "north-reader"), "{path} shows its own tenant nothing");
        assert!(!shows_anything(&server, path, "south-reader"), "{path} shows another tenant's data");
    }
    for path in &singles {
        assert_eq!(server.get(path, "north-reader").status, 200, "{path}");
        assert_eq!(server.get(path, "south-reader").status, 404, "{path} shows another tenant's data");
        let unknown = path.replace(|letter: char| letter.is_ascii_digit(), "0");
        let (hidden, missing) = (server.get(path, "south-reader"), server.get(&unknown, "south-reader"));
        assert_eq!(hidden.status, missing.status, "{path}: what is hidden can be told from what is missing");
    }
    for path in lists.iter().chain(&singles) {
        for (token, status) in [("", 401), ("nobody", 401), ("north-school", 403)] {
            assert_eq!(server.get(path, token).status, status, "{path} answers `{token}`");
        }
        assert_eq!(server.get(&with_tenant(path, "north"), "operator").status, 200, "{path}: operators read");
    }
}

fn the_same_school_in_two_tenants_is_two_schools(kind: Kind) {
    let server = site_on(kind).start();
    let payload = Payload::of(Size::SMALL);
    for connection in ["north-school", "north-annex", "south-school"] {
        sync(&server, connection, &payload);
    }
    let (north, south) = (entities(&server, "north-reader", "user", ""), entities(&server, "south-reader", "user", ""));
    assert_eq!((north.len(), south.len()), (56, 28));
    assert!(north.keys().all(|id| !south.contains_key(id)));
    assert_eq!(entities(&server, "north-reader", "user", "connection=annex").len(), 28);
}

/// Every route that reads: those that list, and those that show one thing of the tenant `north`.
fn read_routes(server: &Server) -> (Vec<String>, Vec<String>) {
    let mut lists: Vec<_> = LISTS.iter().map(|list| format!("{ONEROSTER}/{list}")).collect();
    lists.extend(KINDS.iter().map(|kind| format!("/api/v1/entities/{kind}")));
    lists.extend(["/api/v1/changes".to_owned(), "/api/v1/deliveries".to_owned()]);

    let mut singles = Vec::new();
    for list in LISTS.iter().filter(|list| **list != "terms") {
        let page = server.get_json(&format!("{ONEROSTER}/{list}?limit=1"), "north-reader");
        singles.push(format!("{ONEROSTER}/{list}/{}", first_id(&page)));
    }
    for kind in KINDS {
        let id = entities(server, "north-reader", kind, "").into_keys().next().expect("there is one of each kind");
        singles.extend([format!("/api/v1/entities/{kind}/{id}"), format!("/api/v1/entities/{kind}/{id}/provenance")]);
    }
    let delivery = deliveries(server, "north-reader")[0]["id"].as_str().expect("ids are text").to_owned();
    singles.extend([format!("/api/v1/deliveries/{delivery}"), format!("/api/v1/deliveries/{delivery}/body")]);
    (lists, singles)
}

fn first_id(page: &Value) -> &str {
    let rows = page.as_object().and_then(|page| page.values().next()).expect("a page has a list");
    rows[0]["sourcedId"].as_str().expect("it has an id")
}

fn shows_anything(server: &Server, path: &str, token: &str) -> bool {
    let page = server.get_json(path, token);
    let mut lists = page.as_object().expect("a page is an object").values().filter_map(Value::as_array);
    lists.any(|list| !list.is_empty())
}

fn with_tenant(path: &str, tenant: &str) -> String {
    format!("{path}?tenant={tenant}")
}
