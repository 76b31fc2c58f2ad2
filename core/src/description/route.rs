//! Finds the operation that a method and a path call.

use super::{Operation, Partner};

/// The paths of one description, each with its operations.
#[derive(Debug, Default)]
pub struct Routes {
    paths: matchit::Router<Vec<usize>>,
}

/// The values that stand in a path for its `{name}`s, as they were sent.
pub type PathParameters = Vec<(String, String)>;

/// Why no operation is called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteMiss {
    /// There is no such path.
    #[error("there is no such path")]
    NotFound,
    /// The path is there, but does not take the method.
    #[error("the path does not take this method")]
    MethodNotAllowed {
        /// The methods that it takes.
        allowed: Vec<String>,
    },
}

impl Partner {
    /// The operation that `method` (upper case) and `path` (without the partner's mount, `/branches/7`) call, with the
    /// path's parameters as they were sent.
    pub fn route(&self, method: &str, path: &str) -> Result<(&Operation, PathParameters), RouteMiss> {
        let found = self.routes.paths.at(path).map_err(|_| RouteMiss::NotFound)?;
        let operations = || found.value.iter().map(|&nth| &self.operations[nth]);
        let Some(operation) = operations().find(|operation| operation.method == method) else {
            let allowed = operations().map(|operation| operation.method.clone()).collect();
            return Err(RouteMiss::MethodNotAllowed { allowed });
        };
        let parameters = found.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok((operation, parameters))
    }
}

impl Routes {
    /// The routes of all `operations`; where a path cannot be told from another one, which operation it is of, and why.
    pub(super) fn of(operations: &[Operation]) -> Result<Self, Vec<(usize, String)>> {
        let mut routes = Self::default();
        let mut clashes = Vec::new();
        let mut paths: Vec<(&str, Vec<usize>)> = Vec::new();
        for (nth, operation) in operations.iter().enumerate() {
            match paths.iter_mut().find(|(path, _)| *path == operation.path) {
                Some((_, operations)) => operations.push(nth),
                None => paths.push((&operation.path, vec![nth])),
            }
        }
        for (path, operations) in paths {
            let first = operations[0];
            if let Err(error) = routes.paths.insert(path, operations) {
                clashes.push((first, error.to_string()));
            }
        }
        if clashes.is_empty() { Ok(routes) } else { Err(clashes) }
    }
}
