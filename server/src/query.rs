//! Turns a request's query into a typed one, and what does not fit into a [`Problem`].

use axum::extract::Query;
use axum::http::Uri;
use rollcall_core::description::ProblemClass;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Rows of a page when nobody says how many.
pub const PAGE_ROWS: u32 = 100;

/// The query of `uri`. Types that deny unknown fields make a misspelt parameter an error.
pub fn parse<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let query = Query::try_from_uri(uri)
        .map_err(|error| Problem::new(ProblemClass::Malformed, "bad-parameter", lower_case(&error.body_text())))?;
    let Query(query) = query;
    Ok(query)
}

/// The page size that was asked for, within what is allowed.
pub fn limit(asked: Option<u32>, max: u32) -> Result<u32, Problem> {
    match asked {
        None => Ok(PAGE_ROWS.min(max)),
        Some(0) => Err(Problem::bad_parameter("limit", "must be at least 1")),
        Some(limit) => Ok(limit.min(max)),
    }
}

fn lower_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{limit, parse};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: Option<u32>,
    }

    #[test]
    fn a_query_is_typed_or_refused() {
        let page = |text: &str| parse::<Page>(&text.parse().unwrap());
        assert_eq!(page("/x?limit=7").unwrap().limit, Some(7));
        assert_eq!(page("/x").unwrap().limit, None);
        for bad in ["/x?limit=-1", "/x?limit=many", "/x?limt=1", "/x?limit=1&limit=2"] {
            let problem = page(bad).unwrap_err();
            assert_eq!(problem.status, 400, "{bad}");
            assert!(problem.detail.contains("lim"), "{}", problem.detail);
            assert!(!problem.detail.contains("many"));
        }
    }

    #[test]
    fn pages_are_bounded() {
        assert_eq!(limit(None, 1000).unwrap(), 100);
        assert_eq!(limit(None, 10).unwrap(), 10);
        assert_eq!(limit(Some(5000), 1000).unwrap(), 1000);
        assert!(limit(Some(0), 1000).is_err());
    }
}
