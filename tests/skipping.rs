//! Work is skipped only when nothing that its result depends on has changed: proved by changing each of those things behind
//! the server's back.
//!
//! Provenance names the delivery that a record was last mapped from. While everything is as it was, that stays the first
//! one, however often the same payload comes; once something has changed, it is the next one.

use std::fs;

use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::{PARTNER, sync};
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::{Server, Site};
use serde_json::json;

use crate::state::{counts, entities, feed_end, rows, text};
use crate::{on_every_database, site_on};

on_every_database!(
    an_identical_payload_is_skipped_while_nothing_has_changed,
    records_that_were_lost_behind_the_servers_back_are_stored_again,
);

fn an_identical_payload_is_skipped_while_nothing_has_changed(kind: Kind) {
    let (site, payload, first) = synced(kind);
    let server = site.start();
    let end = feed_end(&server, "north-reader");
    let answer = sync(&server, "north-school", &payload);
    assert_eq!((text(&answer, "status"), counts(&answer, "user")), ("unchanged".to_owned(), (0, 0, 28, 0)));
    assert_eq!(feed_end(&server, "north-reader"), end);
    assert_eq!(mapped_from(&server), first, "the payload was worked on although nothing had changed");
}

#[test]
fn another_mapper_maps_everything_again() {
    let (site, payload, first) = synced(Kind::Sqlite);
    site.put_mapper(PARTNER, &with_custom_section(mapper_artifacts::component(PARTNER).unwrap()));
    assert_mapped_again(&site, &payload, &first);
}

#[test]
fn another_description_maps_everything_again() {
    let (mut site, payload, first) = synced(Kind::Sqlite);
    let description = site.copy_schemas().join(PARTNER).join("openapi.yaml");
    let text = fs::read_to_string(&description).unwrap();
    fs::write(&description, text.replacen("title: ", "title: Another ", 1)).unwrap();
    assert_mapped_again(&site, &payload, &first);
}

#[test]
fn another_option_maps_everything_again() {
    let (mut site, payload, first) = synced(Kind::Sqlite);
    let year = json!({ "name": "2026/27", "start": "2026-09-01", "end": "2027-06-30" });
    site.set_option("school", "schoolYear", year);
    assert_mapped_again(&site, &payload, &first);
}

#[test]
fn another_canonical_schema_maps_everything_again() {
    let (mut site, payload, first) = synced(Kind::Sqlite);
    let user = site.copy_schemas().join("canonical/user.yaml");
    let text = fs::read_to_string(&user).unwrap();
    fs::write(&user, format!("{text}\n# Changed.\n")).unwrap();
    assert_mapped_again(&site, &payload, &first);
}

fn records_that_were_lost_behind_the_servers_back_are_stored_again(kind: Kind) {
    let (site, payload, _) = synced(kind);
    let table = table_of(&site, "Section");
    let records = || site.stored().texts(&format!("select name from {table}")).len();
    let all = records();
    site.stored().execute(&format!("delete from {table} where name = 'B'"));
    assert!(records() < all);
    let server = site.start();
    sync(&server, "north-school", &payload);
    assert_eq!(records(), all, "an identical payload was skipped although stored records were lost");
    assert_eq!(entities(&server, "north-reader", "class", "status=active").len(), 4);
}

/// A site with the small school in it, and no server; the payload, and the delivery that it came by.
fn synced(kind: Kind) -> (Site, Payload, String) {
    let site = site_on(kind);
    let payload = Payload::of(Size::SMALL);
    let server = site.start();
    let answer = sync(&server, "north-school", &payload);
    let first = text(&answer, "delivery");
    assert_eq!(mapped_from(&server), first);
    server.kill();
    (site, payload, first)
}

#[track_caller]
fn assert_mapped_again(site: &Site, payload: &Payload, first: &str) {
    let server = site.start();
    assert_eq!(mapped_from(&server), first);
    let second = text(&sync(&server, "north-school", payload), "delivery");
    assert_eq!(mapped_from(&server), second, "an identical payload was skipped although something had changed");
    let third = sync(&server, "north-school", payload);
    assert_eq!(counts(&third, "user"), (0, 0, 28, 0));
    assert_eq!(mapped_from(&server), second, "the payload was worked on although nothing had changed any more");
}

/// The delivery that the records of the first class were last mapped from.
fn mapped_from(server: &Server) -> String {
    let class = entities(server, "north-reader", "class", "").into_keys().next().expect("there are classes");
    let provenance = server.get_json(&format!("/api/v1/entities/class/{class}/provenance"), "north-reader");
    text(&rows(&provenance)[0], "delivery")
}

/// The table that holds the records or entities of a type.
fn table_of(site: &Site, of: &str) -> String {
    let sql = format!("select name from stored_table where type = '{of}' and partner = '{PARTNER}'");
    site.stored().texts(&sql).remove(0)
}

/// The same component with a section that means nothing: another file that behaves the same.
fn with_custom_section(mut component: Vec<u8>) -> Vec<u8> {
    component.extend(b"\0\x05\x04note");
    component
}
