//! Turns a place in a list into the `Link` header that leads to the other pages.

use axum::http::Uri;

/// Which page of how many rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) limit: u32,
    pub(super) offset: u64,
    pub(super) total: u64,
}

/// Links to the first, previous, next and last page, as far as there are such. `path` is the collection's URL; what
/// else was asked for is asked for again.
pub(super) fn link(path: &str, uri: &Uri, place: Place) -> String {
    let limit = u64::from(place.limit);
    let last = place.total.saturating_sub(1) / limit * limit;
    let mut pages = vec![("first", 0)];
    if place.offset > 0 {
        pages.push(("prev", place.offset.saturating_sub(limit).min(last)));
    }
    if place.offset + limit < place.total {
        pages.push(("next", place.offset + limit));
    }
    pages.push(("last", last));
    let links = pages.into_iter().map(|(rel, offset)| format!("<{path}?{}>; rel=\"{rel}\"", query(uri, limit, offset)));
    links.collect::<Vec<_>>().join(", ")
}

/// The query of `uri` with another page.
fn query(uri: &Uri, limit: u64, offset: u64) -> String {
    let asked = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let kept = asked.filter(|(name, _)| name != "limit" && name != "offset");
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .append_pair("limit", &limit.to_string())
        .append_pair("offset", &offset.to_string())
        .finish()
}

#[cfg(test)]
mod tests {
    use super::{Place, link};

    /// The pages linked to, `first=0 next=10`.
    fn pages(limit: u32, offset: u64, total: u64) -> String {
        let link = link("http://x/users", &"/users?offset=7".parse().unwrap(), Place { limit, offset, total });
        let pages = link.split(", ").map(|part| {
            let (url, rel) = part.split_once("; rel=").unwrap();
            let (_, offset) = url.trim_end_matches('>').rsplit_once("offset=").unwrap();
            format!("{}={offset}", rel.trim_matches('"'))
        });
        pages.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn leads_to_the_pages_that_there_are() {
        let cases = [
            ((10, 0, 25), "first=0 next=10 last=20"),
            ((10, 10, 25), "first=0 prev=0 next=20 last=20"),
            ((10, 20, 30), "first=0 prev=10 last=20"),
            ((10, 500, 25), "first=0 prev=20 last=20"),
            ((10, 0, 0), "first=0 last=0"),
        ];
        for ((limit, offset, total), expected) in cases {
            assert_eq!(pages(limit, offset, total), expected, "{offset} of {total}");
        }
    }

    #[test]
    fn asks_again_for_what_was_asked_for() {
        let uri = "/users?filter=familyName%3D%27%C3%A9%27&limit=5&sort=email".parse().unwrap();
        let link = link("http://x/users", &uri, Place { limit: 5, offset: 0, total: 3 });
        assert!(
            link.starts_with("<http://x/users?filter=familyName%3D%27%C3%A9%27&sort=email&limit=5&offset=0>"),
            "{link}"
        );
    }
}
