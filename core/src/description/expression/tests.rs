//! What expressions compute, what they have no value for, and what is refused.

use serde_json::json;

use super::{Expression, Member, Type};

fn names() -> Vec<Member> {
    let delivery = vec![
        Member::required("id", Type::nullable(Type::Text)),
        Member::required("status", Type::Text),
        Member::required("counts", Type::Map(Box::new(Type::Integer))),
    ];
    let terms = vec![
        Member::required("code", Type::Text),
        Member::required("year", Type::Integer),
        Member::optional("status", Type::Text),
    ];
    vec![
        Member::required("delivery", Type::Object(delivery)),
        Member::required("faults", Type::List(Box::new(Type::Object(vec![Member::required("code", Type::Text)])))),
        Member::required("header", Type::Map(Box::new(Type::Text))),
        Member::required("level", Type::Text),
        Member::required("ratio", Type::Number),
        Member::required("options", Type::Object(vec![Member::optional("sandbox", Type::Boolean)])),
        Member::required("Term", Type::List(Box::new(Type::Object(terms)))),
    ]
}

#[test]
fn expressions_have_the_value_that_cel_gives_them() {
    let context = json!({
        "delivery": {"id": null, "status": "applied", "counts": {"user": 3}},
        "faults": [{"code": "trap"}], "header": {"accept": "*/*"}, "level": "info", "ratio": 1.5, "options": {}
    });
    let table = [
        ("delivery.status", json!("applied")),
        ("delivery.id", json!(null)),
        ("delivery.id == null", json!(true)),
        ("size(faults) > 0 ? 'bad' : 'good'", json!("bad")),
        ("faults[0].code", json!("trap")),
        ("delivery.counts['user'] + 2", json!(5)),
        ("has(header.accept)", json!(true)),
        ("has(header.referer)", json!(false)),
        ("has(level) && !has(Term)", json!(true)),
        ("has(Term) ? Term[0].code : level", json!("info")),
        ("[1].exists(n, has(n))", json!(true)),
        ("!has(options.sandbox) || options.sandbox", json!(true)),
        ("{'warning': 'w', 'info': 'i'}[level]", json!("i")),
        ("level in ['info', 'error']", json!(true)),
        ("'user' in delivery.counts", json!(true)),
        ("string(size(level)) + '!'", json!("4!")),
        ("ratio < 2 && -1 < ratio", json!(true)),
        ("size(faults) - 3", json!(-2)),
        ("faults.sum(f, 2)", json!(2)),
        ("2 - ratio", json!(0.5)),
        ("[1, 2] + [3]", json!([1, 2, 3])),
        ("size('مرحبا')", json!(5)),
        ("1 == 1.0", json!(true)),
        ("level != 'x' && (level == 'y' || level >= 'a')", json!(true)),
    ];
    for (source, value) in table {
        let expression = Expression::compile(source, &names()).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
        assert_eq!(expression.evaluate(&context), Ok(value), "{source}");
    }
}

#[test]
fn lists_of_records_are_looked_through() {
    let terms = [("T1", 2024, Some("closed")), ("T2", 2025, Some("active")), ("T3", 2025, None)];
    let terms = terms.map(|(code, year, status)| match status {
        Some(status) => json!({"code": code, "year": year, "status": status}),
        None => json!({"code": code, "year": year}),
    });
    let context = json!({"Term": terms, "level": "T?", "faults": [], "header": {"since": "2025"}});
    let table = [
        ("Term.filter(t, t.status == 'active')[0].code", json!("T2")),
        ("Term.filter(t, t.status == 'active')", json!([{"code": "T2", "year": 2025, "status": "active"}])),
        ("size(Term.filter(t, t.year > 2024))", json!(2)),
        ("size(Term)", json!(3)),
        ("Term[2].code", json!("T3")),
        ("Term.exists(t, t.code == 'T3')", json!(true)),
        ("Term.exists(t, t.code == 'T4')", json!(false)),
        ("Term.exists(t, !has(t.status))", json!(true)),
        ("Term.filter(t, t.status != 'active')[0].code", json!("T1")),
        ("size(Term.filter(t, t.status != 'active'))", json!(1)),
        ("size(Term.filter(t, t.status == 'active' || t.year == 2024))", json!(2)),
        ("Term.filter(t, t.year == 2025).filter(u, has(u.status))[0].code", json!("T2")),
        ("Term.filter(t, glob(level, t.code) && string(t.year) == header.since)[1].code", json!("T3")),
        ("faults.exists(f, f.code == 'x')", json!(false)),
        ("[1, 2, 3].filter(n, n > 1)", json!([2, 3])),
        ("glob('T*', Term[0].code) && !glob('t*', Term[0].code)", json!(true)),
    ];
    for (source, value) in table {
        let expression = Expression::compile(source, &names()).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
        assert_eq!(expression.evaluate(&context), Ok(value.clone()), "{source}");
        assert!(expression.of().accepts(&value), "{source}: {}", expression.of());
    }
}

/// What a course says, and the types of record that expressions beside it may speak of.
fn school() -> (Vec<Member>, Vec<Member>) {
    let text = || Type::nullable(Type::Text);
    let course = vec![
        Member::required("id", Type::Integer),
        Member::required("name", Type::Text),
        Member::optional("category_id", Type::Integer),
        Member::optional("cost", text()),
        Member::optional("places", Type::nullable(Type::Integer)),
        Member::optional("is_open", Type::Boolean),
        Member::optional("labels", Type::List(Box::new(Type::Integer))),
        Member::optional("place", Type::Object(vec![Member::optional("city", Type::Text)])),
        Member::optional("value", Type::Integer),
    ];
    let category = vec![
        Member::required("id", Type::Integer),
        Member::optional("parent_id", Type::Integer),
        Member::optional("is_open", Type::Boolean),
    ];
    let names = vec![
        Member::required("value", Type::Text),
        Member::required("options", Type::Object(vec![Member::optional("url", Type::Text)])),
        Member::required("links", Type::Map(Box::new(Type::Text))),
        Member::required("Course", Type::records("Course", Some("id"), Type::Object(course.clone()))),
        Member::required("Category", Type::records("Category", Some("id"), Type::Object(category))),
        Member::required("Pair", Type::records("Pair", None, Type::Object(Vec::new()))),
    ];
    (course, names)
}

#[test]
fn of_a_record_what_is_absent_is_null() {
    let (own, names) = school();
    let courses = [
        json!({"id": 1, "name": "Ada", "category_id": 7, "cost": "9.50", "labels": [1, 2]}),
        json!({"id": 2, "name": "Bob", "cost": "10", "is_open": true, "place": {"city": "Oslo"}}),
        json!({"id": 3, "name": "cy", "category_id": 8, "cost": "x", "places": 4}),
    ];
    let categories = [json!({"id": 7, "parent_id": 8, "is_open": true}), json!({"id": 8})];
    let table = [
        ("places", json!(null)),
        ("places == null && cost != null", json!(true)),
        ("has(places) || has(Course[3].places)", json!(true)),
        ("has(Course[9].name)", json!(false)),
        ("places < 3", json!(null)),
        ("places < 3 || id == 1", json!(true)),
        ("places < 3 && id == 2", json!(false)),
        ("!(places < 3)", json!(null)),
        ("places in [1, 2]", json!(false)),
        ("is_open ? 'open' : 'closed'", json!(null)),
        ("name + string(places)", json!(null)),
        ("value == 'ad'", json!(true)),
        ("place.city", json!(null)),
        ("Course[2].place.city", json!("Oslo")),
        ("labels[1]", json!(2)),
        ("labels[5]", json!(null)),
        ("2 in labels && !(2 in Course[2].labels)", json!(true)),
        ("labels.exists(l, l == 2)", json!(true)),
        ("Category[category_id].is_open", json!(true)),
        ("Category[Category[category_id].parent_id].is_open", json!(null)),
        ("Category[places].is_open", json!(null)),
        ("Course[4] == null && Course[3] != null", json!(true)),
        ("Course.filter(c, c.category_id == category_id)[0].name", json!("Ada")),
        ("Course.filter(c, c.id > 7)[0].name", json!(null)),
        ("size(Course.filter(c, c.category_id != 7))", json!(2)),
        ("Course.exists(c, Category.exists(k, k.id == c.category_id && !has(k.parent_id)))", json!(true)),
        ("size(Course.filter(c, c.labels.exists(l, l == id)))", json!(1)),
        ("Course.min(c, c.cost)", json!("9.50")),
        ("Course.max(c, c.cost)", json!("x")),
        ("Course.filter(c, decimal(c.cost) > 0).max(c, c.cost)", json!("10")),
        ("Course.min(c, c.places)", json!(4)),
        ("Course.filter(c, false).min(c, c.id)", json!(null)),
        ("decimal(cost) < 10.0 && decimal('x') == null && decimal(2) == 2", json!(true)),
        ("search(value, name, cost)", json!(true)),
        ("search('D', place.city)", json!(false)),
        ("links('prev', 'next')", json!("<u>; rel=\"next\"")),
    ];
    for (source, value) in table {
        let expression = Expression::compile_beside(source, &own, &names);
        let expression = expression.unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
        let mut context = json!({
            "value": "ad", "options": {}, "Course": courses, "Category": categories, "links": {"next": "u"}
        });
        let own = courses[0].as_object().unwrap().clone();
        context.as_object_mut().unwrap().extend(own);
        assert_eq!(expression.evaluate(&context), Ok(value.clone()), "{source}");
        assert!(expression.of().accepts(&value) || value.is_null(), "{source}: {}", expression.of());
    }
}

#[test]
fn what_may_be_absent_may_be_null() {
    let (own, names) = school();
    let table = [
        ("places < 3", "true or false"),
        ("is_open", "true or false or null"),
        ("name", "text"),
        ("cost", "text or null"),
        ("Course[id].name", "text"),
        ("Course[id]", "an object or null"),
        ("Course.min(c, c.cost)", "text or null"),
        ("place.city", "text or null"),
        ("decimal(cost)", "a number or null"),
        ("options.url", "text"),
        ("Course.filter(c, c.is_open)", "a list"),
    ];
    for (source, of) in table {
        let expression = Expression::compile_beside(source, &own, &names).unwrap();
        assert_eq!(expression.of().to_string(), of, "{source}");
    }
    let is_condition = |source| Expression::compile_beside(source, &own, &names).unwrap().is_condition();
    assert!(is_condition("is_open") && is_condition("id == 1") && !is_condition("name"));
}

#[test]
fn what_does_not_type_of_records_is_refused_where_it_stands() {
    let (own, names) = school();
    let table = [
        ("Course['a'].name", 7..10, "expected an integer, found text"),
        ("Pair[1]", 0..4, "`Pair` has no key that is a single member"),
        ("Course[1].nam", 10..13, "there is no `nam` here"),
        ("nam", 0..3, "there is no `nam` here"),
        ("Course.exists(id, true)", 14..16, "`id` already means something here"),
        ("Course.min(c, c.is_open)", 15..16, "expected a number or text, found true or false or null"),
        ("labels.exists(l, labels.exists(m, m == l))", 17..23, "not supported: a loop within a loop"),
        (
            "Course.exists(c, Course.exists(d, Course.exists(e, e.id == c.id)))",
            34..40,
            "not supported: a loop within a loop",
        ),
        ("search(value)", 6..7, "the wrong number of arguments"),
        ("search(value, id)", 14..16, "expected text, found an integer"),
        ("decimal(labels)", 8..14, "expected text or a number, found a list"),
        ("now()", 3..4, "`now()` stands alone, as the `value` of a member with `at`"),
    ];
    for (source, span, problem) in table {
        let fault = Expression::compile_beside(source, &own, &names).unwrap_err();
        assert_eq!((fault.problem.as_str(), fault.span), (problem, span), "{source}");
    }
}

#[test]
fn a_member_is_chosen_by_what_it_is_or_holds() {
    let (own, _) = school();
    let list = |of| Type::List(Box::new(of));
    let context = |value| json!({"id": 2, "name": "Ada", "labels": [1, 2], "value": value});
    let table = [
        ("id", Type::Integer, json!(2), true),
        ("id", Type::Integer, json!(3), false),
        ("id", list(Type::Integer), json!([1, 2]), true),
        ("labels", Type::Integer, json!(2), true),
        ("labels", list(Type::Integer), json!([7, 1]), true),
        ("labels", list(Type::Integer), json!([7]), false),
        ("places", list(Type::Integer), json!([1]), false),
        ("cost", Type::Text, json!("1"), false),
    ];
    for (name, of, value, chosen) in table {
        let member = own.iter().find(|member| member.name == name).unwrap();
        let expression = Expression::chosen(member, of).unwrap();
        assert_eq!(expression.evaluate(&context(value)), Ok(json!(chosen)), "{name}");
    }
    let member = |name: &str| own.iter().find(|member| member.name == name).unwrap();
    assert_eq!(Expression::chosen(member("id"), Type::Text), None);
    assert_eq!(Expression::chosen(member("labels"), Type::Text), None);
}

#[test]
fn an_expression_knows_what_it_speaks_of() {
    let expression = Expression::compile("size(faults) > 0 ? {'a': level}['a'] : 'b'", &names()).unwrap();
    let spoken: Vec<_> = ["faults", "level", "ratio", "a"].map(|name| expression.speaks_of(name)).into();
    assert_eq!(spoken, [true, true, false, false]);
    let expression = Expression::compile("Term.exists(t, t.code == level)", &names()).unwrap();
    let spoken: Vec<_> = ["Term", "level", "t", "faults"].map(|name| expression.speaks_of(name)).into();
    assert_eq!(spoken, [true, true, false, false]);
}

#[test]
fn what_has_no_value_is_unset_and_never_a_panic() {
    let context = json!({"faults": [], "header": {}, "delivery": {"counts": {}}, "level": "none", "options": {}});
    let table = [
        "faults[0].code",
        "faults[-1].code",
        "header.accept",
        "delivery.counts['user'] + 1",
        "{'info': 'i'}[level]",
        "9223372036854775807 + size(level)",
        "-(-9223372036854775808)",
        "options.sandbox",
        "faults.filter(f, true)[0].code == 'x'",
        "Term.exists(t, true)",
    ];
    for source in table {
        let expression = Expression::compile(source, &names()).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
        assert!(expression.evaluate(&context).is_err(), "{source}");
        assert!(!expression.holds(&context), "{source}");
    }
}

#[test]
fn what_does_not_type_is_refused_where_it_stands() {
    let table = [
        ("delivery.stats", 9..14, "there is no `stats` here"),
        ("deliveri.id", 0..8, "there is no `deliveri` here"),
        ("level + 1", 6..7, "text and an integer cannot be added"),
        ("level && true", 0..5, "expected true or false, found text"),
        ("level < 1", 6..7, "text and an integer cannot be compared"),
        ("faults.all(f, f.code == 'x')", 10..11, "not supported yet: `all()`"),
        ("faults.exists(f, f.cod == 'x')", 19..22, "there is no `cod` here"),
        ("faults.exists(f, f.code)", 18..19, "expected true or false, found text"),
        ("faults.exists(level, true)", 14..19, "`level` already means something here"),
        ("faults.exists('f', true)", 14..17, "expected a name for the items of the list"),
        ("faults.exists(f, Term.exists(t, t.code == f.code))", 17..21, "not supported: a loop within a loop"),
        ("faults.exists(f, true) && f.code == 'x'", 26..27, "there is no `f` here"),
        ("level.filter(l, true)", 0..5, "expected a list, found text"),
        ("faults.exists(f)", 13..14, "unknown function `exists`"),
        ("faults.sum(f, f.code)", 15..16, "expected an integer, found text"),
        ("size(faults.filter(f, true)) == 'x'", 29..31, "an integer and text cannot be compared"),
        ("glob('a*', 1)", 11..12, "expected text, found an integer"),
        ("has(lvel)", 4..8, "there is no `lvel` here"),
        ("has('level')", 4..11, "expected a name or a member, as in `has(x.y)`"),
        ("has(delivery.stats)", 13..18, "there is no `stats` here"),
        ("size(1)", 5..6, "expected text, a list or a map, found an integer"),
        ("sum(faults)", 3..4, "unknown function `sum`"),
        ("faults['a']", 7..10, "expected an integer, found text"),
        ("level +", 6..7, "not an expression: mismatched input end"),
        ("ratio * 2.0", 6..7, "not supported: `*`"),
        ("level - 'o'", 0..5, "expected a number, found text"),
    ];
    for (source, span, problem) in table {
        let fault = Expression::compile(source, &names()).unwrap_err();
        assert_eq!((fault.problem.as_str(), fault.span), (problem, span), "{source}");
    }
}

#[test]
fn size_and_depth_are_limited() {
    let long = format!("'{}'", "a".repeat(3_000));
    assert!(Expression::compile(&long, &names()).is_err());
    let deep = format!("{}1{}", "(".repeat(200), ")".repeat(200));
    assert!(Expression::compile(&deep, &names()).is_err());
    let choices = format!("{}1{}", "(true?1:true?2:".repeat(3), ")".repeat(3));
    assert!(Expression::compile(&choices, &names()).is_ok());
    let chain = format!("{}1 == 1", "true ? ".repeat(100));
    assert!(Expression::compile(&chain, &names()).is_err());
    let sum = format!("{}1", "1+".repeat(400));
    assert!(Expression::compile(&sum, &names()).is_err());
}
