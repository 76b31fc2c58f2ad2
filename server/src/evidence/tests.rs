//! What operators see of deliveries in which something is wrong, and people of payloads.

use rollcall_core::json::Pointer;
use rollcall_core::language::Folder;
use rollcall_core::note::Note;
use serde_json::{Value, json};

use super::{Trouble, Witness, written};
use crate::fixture::{PARTNER, Server, Site};
use crate::preview::Preview;

#[test]
fn of_a_description_what_belongs_to_a_place_is_shown() {
    let table = [
        ("{type: string, pattern: '}'}, more: 1}\nnext: 2", 8, "{type: string, pattern: '}'}"),
        ("{type: string,\n         enum: [a]}\nnext: 2", 8, "{type: string,|enum: [a]}"),
        ("type: string\n    enum:\n      - a\n  next: 2", 4, "type: string|enum:|  - a"),
        ("type: string\n\n    enum: [a]", 4, "type: string"),
        ("true\nnext: 2", 0, "true"),
    ];
    for (text, indent, wanted) in table {
        assert_eq!(written(text, indent).join("|"), wanted, "{text}");
    }
}

async fn troubles(server: &Server, body: &str) -> Value {
    let reply = server.call("POST", &format!("/{PARTNER}/attacks/all-or-none"), "school", body).await;
    let path = format!("/admin/v1/quarantine/{}", reply.delivery.unwrap());
    let shown = server.send("GET", &path, &[("authorization", "Bearer operator")], "").await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    shown.body["troubles"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_shows_the_partners_own_schema_and_where_it_is_broken() {
    let server = Site::new().start().await;
    let troubles = troubles(&server, "[\n  {\"id\": \"12\", \"do\": \"nothing\"}\n]").await;
    assert_eq!(troubles[0]["trouble"], "rejected");
    let evidence = &troubles[0]["evidence"];
    assert_eq!(evidence["place"], json!({"line": 2, "column": 10, "shape": "text of 2 characters, all digits"}));
    assert_eq!(evidence["record"], "Attack");
    let described = include_str!("../fixture/openapi.yaml");
    let line = usize::try_from(evidence["described"]["line"].as_u64().unwrap()).unwrap();
    let text = evidence["described"]["text"].as_str().unwrap();
    assert!(described.lines().nth(line - 1).unwrap().contains(text), "{evidence}");
    assert!(text.contains("type: integer"), "{evidence}");
    assert!(evidence["hint"].as_str().unwrap().contains("quotation marks"), "{evidence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_shows_the_canonical_field_and_the_mapper() {
    let server = Site::new().start().await;
    let troubles = troubles(&server, "[{\"id\": 1, \"do\": \"wrong-word\"}, {\"id\": 2, \"do\": \"refuse\"}]").await;
    let of = |trouble: &str| {
        let all = troubles.as_array().unwrap();
        &all.iter().find(|one| one["trouble"] == trouble).unwrap_or_else(|| panic!("{trouble}: {troubles}"))["evidence"]
    };
    let fault = of("fault");
    assert_eq!((&fault["canonical"]["kind"], &fault["canonical"]["field"]), (&json!("org"), &json!("type")));
    assert!(fault["canonical"]["wanted"].as_str().unwrap().contains("school"), "{fault}");
    assert_eq!(fault["place"]["column"], 2);
    let loaded = server.app.registry.get(PARTNER).unwrap();
    assert!(fault["mapper"].as_str().unwrap().starts_with(loaded.mapper.version()), "{fault}");
    assert!(of("refused")["place"]["column"].as_u64().unwrap() >= 33, "{troubles}");
    assert!(of("refused").get("canonical").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_both_ends_and_no_value() {
    let server = Site::new().start().await;
    let loaded = server.app.registry.get(PARTNER).unwrap();
    let operation = loaded.partner.operation("pushAttacks").unwrap();
    let folder = server.app.config.schemas_dir.join(PARTNER);
    let witness = Witness::new(server.app.canonical(), &loaded, operation, Some(Folder::Disk(&folder)));
    let body = b"[{\"id\": 1,\n  \"do\": \"zaragoza\"}]";
    let note = |pointer: &str, code: &str, message: &str| Note::new(Pointer::from(pointer), code, message);
    let preview = Preview {
        rejections: vec![note("/0/do", "enum", "must be one of …"), note("/7/id", "required", "`id` is required")],
        faults: vec![note("/0", "fault", "org.name must be at least 1 characters long")],
        ..Preview::default()
    };
    let told = witness.told("payload.json", body, &preview).join("\n");
    for wanted in [
        "rejected: must be one of … (enum)\n  sent       payload.json:2:9: /0/do: text of 8 characters",
        "  sent       payload.json:1:1: /7/id: nothing",
        "  canonical  org.name: text",
        "  record     Attack",
        "openapi.yaml:",
    ] {
        assert!(told.contains(wanted), "`{wanted}` is not in\n{told}");
    }
    assert!(!told.contains("zaragoza"), "{told}");
    let bare = Witness::new(server.app.canonical(), &loaded, operation, None);
    assert_eq!(bare.evidence(body, Trouble::Rejected, &preview.rejections[0]).described, None);
}
