//! What operations on single records, their lists and webhooks are read as.

use std::path::Path;

use serde_json::{Value, json};

use crate::canonical::Canonical;
use crate::description::{
    Action, Cast, Credential, Filter, Form, Happening, Listed, Operation, Partner, Resource, Selection, Verb, Write,
};

/// The library whose clients write books and loans one by one.
fn library() -> Partner {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("library");
    std::fs::create_dir(&to).unwrap();
    std::fs::copy("tests/descriptions/valid/resources.yaml", to.join("openapi.yaml")).unwrap();
    let canonical = Canonical::load(Path::new("../schemas/canonical")).unwrap();
    Partner::load(&to, &canonical, &|_: &str| true).unwrap()
}

fn operation<'p>(partner: &'p Partner, id: &str) -> &'p Operation {
    partner.operations.iter().find(|operation| operation.id == id).unwrap()
}

fn resource<'p>(partner: &'p Partner, id: &str) -> &'p Resource {
    let Verb::Resource(resource) = &operation(partner, id).verb else { panic!("{id}") };
    resource
}

fn selection(partner: &Partner) -> &Selection {
    let Verb::List(Listed::Selected(selection)) = &operation(partner, "listBooks").verb else { panic!() };
    selection
}

#[test]
fn parameters_choose_by_name_or_as_they_say() {
    let partner = library();
    let selection = selection(&partner);
    let book = json!({
        "code": 7, "title": "T", "shelf": "A", "bought": "2026-01-01T00:00:00.000Z", "withdrawn": false,
        "subjects": ["sea", "sky"], "Loan": [{"reader": "Ada", "book": 7}],
    });
    let holds = |filter: &Filter, value: Value| {
        let mut context = book.clone();
        context["value"] = value;
        filter.condition.holds(&context)
    };
    let table = [
        ("shelf", json!("A"), json!("B")),
        ("code", json!([1, 7]), json!([1, 2])),
        ("subject", json!("sea"), json!("land")),
        ("subjects", json!(["land", "sky"]), json!(["land"])),
        ("withdrawn", json!(false), json!(true)),
        ("since", json!("2025-12-31T00:00:00.000Z"), json!("2026-01-02T00:00:00.000Z")),
    ];
    for (name, chosen, other) in table {
        let filter = selection.filters.iter().find(|filter| filter.parameter == name).unwrap();
        assert!(holds(filter, chosen) && !holds(filter, other), "{name}");
    }
    let flag = selection.filters.iter().find(|filter| filter.parameter == "lent").unwrap();
    assert!(holds(flag, json!("lent")));
    let withdrawn = selection.filters.iter().find(|filter| filter.parameter == "withdrawn").unwrap();
    assert_eq!(withdrawn.default, Some(json!(false)), "a default is cast like what is sent");
    assert!(selection.only.as_ref().unwrap().holds(&book));
    assert_eq!(selection.filters.len(), 7, "what says a page or an order chooses nothing");
}

#[test]
fn lists_know_their_orders_their_pages_and_what_needs_an_index() {
    let partner = library();
    let sort = selection(&partner).sort.as_ref().unwrap();
    let words: Vec<_> =
        sort.words.iter().map(|word| (word.word.as_str(), word.member.as_str(), word.descending)).collect();
    let wanted = [
        ("title", "title", false),
        ("bought:desc", "bought", true),
        ("bought:asc", "bought", false),
        ("bought", "bought", false),
    ];
    assert_eq!(words, wanted);
    let paging = &operation(&partner, "listBooks").paging;
    let size = paging.limit.as_ref().unwrap();
    assert_eq!((size.default, size.minimum, size.maximum), (Some(25), 1, Some(100)));
    assert_eq!((paging.page.as_ref().unwrap().minimum, paging.cursor.as_deref()), (1, Some("cursor")));
    let of = |name: &str| &partner.records.iter().find(|record| record.name == name).unwrap().indexes;
    for member in ["code", "shelf", "bought", "title"] {
        assert!(of("Book").contains(&vec![member.to_owned()]), "{member}");
    }
    assert!(of("Loan").contains(&vec!["book".to_owned()]), "what is looked up inside of a condition");
    let Verb::List(Listed::Items { of, list }) = &operation(&partner, "listCopies").verb else { panic!() };
    assert_eq!((of.filters.len(), list.as_str()), (1, "copies"));
    let Verb::List(Listed::Called { call, .. }) = &operation(&partner, "listLate").verb else { panic!() };
    assert_eq!(call, "late");
    let Verb::List(Listed::Sends { subscription, failed, .. }) = &operation(&partner, "listTold").verb else {
        panic!()
    };
    assert_eq!((subscription.as_str(), *failed), ("id", true));
}

/// `sent -> kept` of each field, with how it is written.
fn shown(form: &Form) -> Vec<String> {
    let field = |field: &crate::description::FormField| {
        let how = match &field.write {
            Write::Value => String::new(),
            Write::Object(form) => format!(" {:?}", shown(form)),
            Write::Items { by, remove, form } => format!(" by {by}, {remove:?} removes, {:?}", shown(form)),
            Write::Argument => " argument".to_owned(),
        };
        let cast = field.cast.map(|cast| format!(" as {cast:?}")).unwrap_or_default();
        format!("{} -> {}{cast}{how}", field.sent, field.kept)
    };
    form.fields.iter().map(field).collect()
}

#[test]
fn requests_say_what_each_of_their_members_becomes() {
    let partner = library();
    let wanted = [
        "code -> code",
        "title -> title",
        "place -> shelf",
        "bought -> bought as Instant",
        "price -> price as Decimal",
        "withdrawn -> withdrawn as Boolean",
        "subjects -> subjects",
        r#"binding -> binding ["material -> material", "colour -> colour"]"#,
        r#"copies_attributes -> copies by id, Some("_gone") removes, ["id -> id", "place -> place"]"#,
    ];
    assert_eq!(shown(&resource(&partner, "addBook").form), wanted);
    assert_eq!(shown(&resource(&partner, "withdrawBook").form), ["reason -> reason argument"]);
    assert_eq!(resource(&partner, "withdrawBook").call.as_deref(), Some("withdraw"));
    let upsert = resource(&partner, "lendAnew");
    assert_eq!(upsert.action, Action::Upsert(vec!["reader".to_owned(), "book".to_owned()]));
    let (changed, same) = (operation(&partner, "changeBook"), operation(&partner, "changeBook.put"));
    assert_eq!((changed.method.as_str(), same.method.as_str(), &same.path), ("PATCH", "PUT", &changed.path));
    let parameter = &changed.parameters[0];
    assert_eq!((parameter.many, parameter.cast), (false, Some(Cast::Integer)));
}

#[test]
fn answers_show_members_by_their_names() {
    let partner = library();
    let filled = |id: &str, context: Value| {
        let answer = operation(&partner, id).success().unwrap();
        let (_, template) = answer.content.as_ref().unwrap();
        assert_eq!(template.fill(&context), template.fill_with(context.clone()), "{id}");
        template.fill_with(context)
    };
    let stored = json!({
        "code": 7, "title": "Whales", "binding": {"material": "cloth"}, "copies": [{"id": 1, "place": "A"}],
        "options": {"library": "North"}, "told": {},
    });
    let wanted = json!({
        "code": 7, "heading": "Whales!", "shelf": null, "binding": {"colour": null}, "copies": [{"id": 1}],
    });
    assert_eq!(filled("showBook", stored), wanted);
    assert_eq!(filled("showBook", json!({"code": 8}))["binding"], Value::Null);
    let rows = json!({"records": [{"code": 1, "title": "A", "hidden": true}, {"code": 2, "title": "B"}], "total": 2});
    assert_eq!(filled("listBooks", rows), json!([{"code": 1, "title": "A"}, {"code": 2, "title": "B"}]));
    let told = json!({"code": 7, "told": {"why": "torn", "location": "/books/8"}});
    assert_eq!(filled("withdrawBook", told.clone()), json!({"code": 7, "why": "torn"}));
    let (name, location) = &operation(&partner, "withdrawBook").success().unwrap().headers[0];
    assert_eq!((name.as_str(), location.evaluate(&told)), ("Location", Ok(json!("/books/8"))));
    assert_eq!(
        filled("listLate", json!({"records": [{"reader": "Ada", "days": 3}]})),
        json!([{"reader": "Ada", "days": 3}])
    );
    assert!(operation(&partner, "removeBook").success().unwrap().content.is_none());
}

#[test]
fn webhooks_know_what_raises_their_events_and_who_is_told() {
    let partner = library();
    let webhooks = partner.webhooks.as_ref().unwrap();
    let names: Vec<_> = webhooks.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(
        names,
        ["book.created", "book.deleted", "book.withdrawn", "loan.created"],
        "as far as there are such events"
    );
    let Happening::Changed(when) = &webhooks.events[2].on else { panic!() };
    let happened =
        |before: bool, after: bool| when.holds(&json!({"withdrawn": after, "before": {"withdrawn": before}}));
    assert!(happened(false, true) && !happened(true, true) && !happened(false, false));
    assert_eq!((webhooks.url.as_str(), webhooks.timeout_ms), ("url", 3_000));
    let told =
        |active: bool| json!({"url": "u", "active": active, "events": ["book.created"], "event": "book.created"});
    assert!(webhooks.only.holds(&told(true)) && !webhooks.only.holds(&told(false)));
    let context = json!({"event": "book.created", "record": {"code": 7}, "options": {"library": "North"}});
    let body = json!({"library": "North", "event": "book.created", "what": {"code": 7}});
    assert_eq!(webhooks.body.fill(&context), body);
    assert_eq!(webhooks.received, ("event".to_owned(), "what".to_owned()));

    let taken = operation(&partner, "beTold");
    assert_eq!(taken.security, [Credential::Path("secret".to_owned())]);
    assert!(matches!(taken.verb, Verb::Receive) && taken.body.as_ref().is_some_and(|body| body.required));
    assert!(partner.refuses_unknown);
}
