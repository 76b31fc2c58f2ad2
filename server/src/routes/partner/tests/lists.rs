//! Lists that parameters choose, order and page.

use serde_json::{Value, json};

use super::call;
use crate::fixture::{PARTNER, Reply, Server, Site};

/// A server with five orgs: open boards and schools, of several sizes.
async fn server() -> Server {
    let server = Site::of_records().start().await;
    let orgs = [
        json!({"name": "E", "size": 50, "tags": ["x", "y"]}),
        json!({"name": "D", "size": 500, "kind": "board"}),
        json!({"name": "C", "is_open": false, "tags": ["y"]}),
        json!({"name": "B", "size": 500}),
        json!({"name": "A", "size": 5, "is_open": false}),
    ];
    for org in orgs {
        assert_eq!(call(&server, "POST", "/orgs", &org).await.status, 201);
    }
    server
}

fn names(reply: &Reply) -> String {
    let rows = reply.body.as_array().into_iter().flatten();
    rows.map(|row| row["name"].as_str().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_choose_and_order_and_what_is_not_declared_is_refused() {
    let server = server().await;
    let table = [
        ("", 200, "EDCBA"),
        ("?kind=board", 200, "D"),
        ("?kind=shop", 400, ""),
        ("?id=1&id=4&id=9", 200, "EB"),
        ("?id[]=2", 200, "D"),
        ("?id[1]=4&id[0]=2", 200, "DB"),
        ("?id=one", 400, ""),
        ("?tag=y", 200, "EC"),
        ("?tag=", 400, ""),
        ("?open=0", 200, "CA"),
        ("?open=true&kind=school", 200, "EB"),
        ("?open=2", 400, ""),
        ("?large=large", 200, "DB"),
        ("?sort=name:asc", 200, "ABCDE"),
        ("?sort=name", 200, "ABCDE"),
        ("?sort=size:desc&sort=name", 200, "CBDEA"),
        ("?sort[]=size:desc&sort[]=name", 200, "CBDEA"),
        ("?sort=name:desc", 422, ""),
        ("?sort=size", 422, ""),
        ("?sort=", 422, ""),
        ("?colour=red", 422, ""),
        ("?kind[]=board", 422, ""),
        ("?page=2&per_page=2", 200, "CB"),
        ("?page=9&per_page=2", 200, ""),
        ("?page=0", 400, ""),
        ("?per_page=101", 400, ""),
        ("?cursor=x", 422, ""),
        ("?cursor=eyJ2YWx1ZXMiOltdLCJpZCI6Mn0", 200, "CBA"),
        ("?cursor=eyJ2YWx1ZXMiOltdLCJpZCI6Mn0&sort=name", 422, ""),
    ];
    for (query, status, wanted) in table {
        let reply = call(&server, "GET", &format!("/orgs{query}"), &Value::Null).await;
        assert_eq!((reply.status, names(&reply).as_str()), (status, wanted), "{query}: {}", reply.body);
        if status != 200 {
            assert_eq!(reply.body["code"], json!(status), "{query}");
            assert!(!reply.body["errors"].as_object().unwrap().is_empty(), "{query}");
        }
    }
    let nobody = server.call("GET", &format!("/{PARTNER}/orgs"), "nobody", "").await;
    assert_eq!((nobody.status, &nobody.body["code"]), (403, &json!(403)));
    let annex = server.call("GET", &format!("/{PARTNER}/orgs"), "annex", "").await;
    assert_eq!(annex.body, json!([]));
}

/// The addresses of a `Link` header, by relation.
fn links(reply: &Reply) -> Vec<(String, String)> {
    let Some(header) = reply.headers.get("link") else { return Vec::new() };
    let links = header.to_str().unwrap().split(", ").map(|link| {
        let (url, relation) = link.split_once("; rel=").unwrap();
        let url = url.trim_matches(['<', '>']);
        let path = url.strip_prefix("http://hub.example").unwrap().strip_prefix(&format!("/{PARTNER}")).unwrap();
        (relation.trim_matches('"').to_owned(), path.to_owned())
    });
    links.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_through_the_pages() {
    let server = server().await;
    let reply = call(&server, "GET", "/orgs?sort=name&per_page=2&page=2", &Value::Null).await;
    assert_eq!(names(&reply), "CD");
    assert_eq!(reply.headers["total"], "5");
    let page = |relation: &str, page: u32| (relation.to_owned(), format!("/orgs?sort=name&per_page=2&page={page}"));
    assert_eq!(links(&reply), [page("first", 1), page("prev", 1), page("next", 3), page("last", 3)]);
    let reply = call(&server, "GET", "/orgs?sort=name&per_page=2&page=3", &Value::Null).await;
    assert_eq!((names(&reply).as_str(), links(&reply).len()), ("E", 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_leads_through_a_list_and_back() {
    let server = server().await;
    for sort in ["name", "size:desc", "size:desc&sort=name"] {
        let whole = names(&call(&server, "GET", &format!("/orgs?sort={sort}"), &Value::Null).await);
        let follow = async |mut path: String, relation: &str| {
            let (mut seen, mut last) = (Vec::new(), path.clone());
            loop {
                let reply = call(&server, "GET", &path, &Value::Null).await;
                assert_eq!((reply.status, reply.headers.get("total")), (200, None), "nobody counts for a cursor");
                seen.push(names(&reply));
                let Some((_, next)) = links(&reply).into_iter().find(|(found, _)| found == relation) else { break };
                (last, path) = (path, next);
            }
            (seen, last)
        };
        let (forth, _) = follow(format!("/orgs?sort={sort}&per_page=2&cursor="), "next").await;
        assert_eq!(forth.concat(), whole, "{sort}");
        assert_eq!(forth.iter().map(String::len).collect::<Vec<_>>(), [2, 2, 1]);
        let end = format!("/orgs?sort={sort}&per_page=2&cursor=");
        let reply = call(&server, "GET", &end, &Value::Null).await;
        let (_, second) = links(&reply).pop().unwrap();
        let (_, third) = links(&call(&server, "GET", &second, &Value::Null).await).pop().unwrap();
        let (mut back, _) = follow(third, "prev").await;
        back.reverse();
        assert_eq!(back.concat(), whole, "{sort}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_items_of_one_records_list_are_a_list() {
    let server = server().await;
    let rooms: Vec<_> = ["P", "Q", "R"].iter().map(|name| json!({"name": name})).collect();
    call(&server, "PATCH", "/orgs/2", &json!({"rooms_attributes": rooms})).await;
    let reply = call(&server, "GET", "/orgs/2/rooms?per_page=2&page=2", &Value::Null).await;
    assert_eq!(reply.body, json!({"total": 3, "rooms": [{"id": 3, "name": "R"}]}));
    assert_eq!(call(&server, "GET", "/orgs/1/rooms", &Value::Null).await.body["rooms"], json!([]));
    assert_eq!(call(&server, "GET", "/orgs/77/rooms", &Value::Null).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_is_shown_what_it_is_told() {
    let server = server().await;
    let hook = json!({"url": "https://subscriber.example/", "events": ["org.closed", "org.deleted", "org.updated"]});
    assert_eq!(call(&server, "POST", "/hooks", &hook).await.body["id"], 1);
    call(&server, "PATCH", "/orgs/1", &json!({"is_open": false})).await;
    call(&server, "DELETE", "/orgs/2", &Value::Null).await;
    let reply = call(&server, "GET", "/hooks/1/told", &Value::Null).await;
    let events: Vec<_> = reply.body.as_array().unwrap().iter().map(|send| send["event"].as_str().unwrap()).collect();
    let mut sorted = events.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["org.closed", "org.deleted", "org.updated"]);
    let first = &reply.body[0];
    assert_eq!((&first["status"], &first["tries"]), (&json!("pending"), &json!([])));
    assert_eq!((&first["event"], &first["body"]["org"]["name"]), (&json!("org.deleted"), &json!("D")), "newest first");

    let reply = call(&server, "GET", "/hooks/1/told?per_page=2", &Value::Null).await;
    assert_eq!(reply.body.as_array().unwrap().len(), 2);
    let (relation, next) = links(&reply).pop().unwrap();
    assert_eq!(relation, "next");
    let reply = call(&server, "GET", &next, &Value::Null).await;
    assert_eq!((reply.body.as_array().unwrap().len(), links(&reply).len()), (1, 1));
    assert_eq!(call(&server, "GET", "/hooks/77/told", &Value::Null).await.status, 404);
}
