//! Which documented response answers which problem.

use super::{Answer, Operation, ProblemClass};

impl ProblemClass {
    /// All classes.
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::Unknown,
        Self::Invalid,
        Self::Clash,
        Self::TooLarge,
        Self::UnsupportedMedia,
        Self::Held,
        Self::Limited,
        Self::Fault,
        Self::Unavailable,
    ];

    /// The word for it, in descriptions.
    pub fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::Clash => "clash",
            Self::TooLarge => "too-large",
            Self::UnsupportedMedia => "unsupported-media",
            Self::Held => "held",
            Self::Limited => "limited",
            Self::Fault => "fault",
            Self::Unavailable => "unavailable",
        }
    }

    /// The statuses that fit, the best first. An operation answers with the first that it documents.
    pub fn statuses(self) -> &'static [u16] {
        match self {
            Self::Malformed => &[400],
            Self::Unauthenticated => &[401, 403, 404],
            Self::Forbidden => &[403, 404, 400],
            Self::Unknown => &[404, 400],
            Self::Invalid => &[422, 400],
            Self::Clash | Self::Held => &[409, 422, 400],
            Self::TooLarge => &[413, 400],
            Self::UnsupportedMedia => &[415, 400],
            Self::Limited => &[429],
            Self::Fault => &[500],
            Self::Unavailable => &[503],
        }
    }
}

impl Operation {
    /// The status that a problem is answered with.
    pub fn status_of(&self, class: ProblemClass) -> u16 {
        match self.answer_to(class) {
            Some(answer) => answer.status,
            None => class.statuses()[0],
        }
    }

    /// The documented response to a problem; none means RFC 9457's problem details.
    pub fn answer_to(&self, class: ProblemClass) -> Option<&Answer> {
        let marked = self.answers.iter().find(|answer| answer.problems.contains(&class));
        let of_status = |status: &u16| self.answers.iter().find(|answer| answer.status == *status);
        marked.or_else(|| class.statuses().iter().find_map(of_status))
    }

    /// The documented response whose shape an undocumented one takes, because a client can read it: to be told to come
    /// again later is part of no API, and of every client's day.
    pub fn shape_of(&self, class: ProblemClass) -> Option<&Answer> {
        if !matches!(class, ProblemClass::Limited | ProblemClass::Unavailable) {
            return None;
        }
        let errors = || self.answers.iter().filter(|answer| answer.status >= 400 && answer.content.is_some());
        errors().find(|answer| answer.status >= 500).or_else(|| errors().next())
    }

    /// The documented response to a call that went well.
    pub fn success(&self) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.is_success())
    }
}

impl Answer {
    /// Whether this answers a call that went well.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && self.problems.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Operation, ProblemClass};
    use crate::description::{Accept, Verb};

    /// Documented statuses, with the problems that they are `for`.
    type Documented<'a> = &'a [(u16, &'a [ProblemClass])];

    fn documenting(answers: Documented<'_>) -> Operation {
        let answers = answers.iter().map(|(status, problems)| Answer {
            status: *status,
            problems: problems.to_vec(),
            content: None,
            headers: Vec::new(),
        });
        Operation {
            id: "push".to_owned(),
            method: "POST".to_owned(),
            path: "/push".to_owned(),
            verb: Verb::Snapshot { records: Vec::new(), accept: Accept::All },
            security: Vec::new(),
            parameters: Vec::new(),
            must: Vec::new(),
            asynchronous: false,
            dry_run: false,
            paging: crate::description::Paging::default(),
            body: None,
            answers: answers.collect(),
        }
    }

    #[test]
    fn a_problem_takes_the_first_status_that_is_documented() {
        use ProblemClass::{Forbidden, Invalid, Malformed, TooLarge, Unauthenticated};
        let table: [(Documented<'_>, ProblemClass, u16); 8] = [
            (&[(200, &[]), (400, &[]), (422, &[])], Invalid, 422),
            (&[(200, &[]), (400, &[])], Invalid, 400),
            (&[(200, &[])], Invalid, 422),
            (&[(200, &[]), (403, &[])], Unauthenticated, 403),
            (&[(200, &[]), (404, &[])], Forbidden, 404),
            (&[(200, &[]), (400, &[])], TooLarge, 400),
            (&[(200, &[]), (400, &[])], Malformed, 400),
            (&[(201, &[]), (200, &[Invalid]), (422, &[])], Invalid, 200),
        ];
        for (answers, class, status) in table {
            assert_eq!(documenting(answers).status_of(class), status, "{answers:?} {class:?}");
        }
    }

    #[test]
    fn a_class_has_the_word_that_descriptions_use() {
        for class in ProblemClass::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.word());
        }
    }

    #[test]
    fn a_response_to_a_problem_is_no_success() {
        let operation = documenting(&[(200, &[ProblemClass::Invalid]), (201, &[])]);
        assert_eq!(operation.success().map(|answer| answer.status), Some(201));
    }
}
