//! Makes a school of any size as its own software would send it: the payload that the tests and the benchmark post.
//!
//! The same numbers always give the same school, byte for byte. What is public can be changed before it is sent: take a
//! section away, rename a student, shuffle.

use fastrand::Rng;
use serde::Serialize;

/// How large a school is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Classes, which are grades.
    pub classes: u64,
    /// Sections of each class.
    pub sections: u64,
    /// Subjects of each class; each has one teacher, who teaches it in all sections of the class.
    pub subjects: u64,
    /// Students in each section.
    pub students: u64,
}

impl Size {
    /// 4,800 students in 160 sections and 240 teachers: what the benchmark sends.
    pub const LARGE: Self = Self { classes: 40, sections: 4, subjects: 6, students: 30 };
    /// 24 students in 4 sections and 4 teachers: enough for most tests.
    pub const SMALL: Self = Self { classes: 2, sections: 2, subjects: 2, students: 6 };
}

/// A whole payload.
#[derive(Debug, Clone, Serialize)]
pub struct Payload {
    /// Schools.
    pub branches: Vec<Branch>,
}

/// A school.
#[derive(Debug, Clone, Serialize)]
pub struct Branch {
    /// Unique in the payload.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its grades.
    pub classes: Vec<Class>,
}

/// A grade.
#[derive(Debug, Clone, Serialize)]
pub struct Class {
    /// Unique in the branch.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What it is divided into.
    pub sections: Vec<Section>,
}

/// A room full of students who are taught together.
#[derive(Debug, Clone, Serialize)]
pub struct Section {
    /// Unique in the class.
    pub name: String,
    /// What is taught.
    pub subjects: Vec<Subject>,
    /// Who is taught.
    pub students: Vec<Person>,
}

/// What is taught, and by whom.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    /// The same subject has the same id in every section.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Who teaches it here.
    pub teachers: Vec<Person>,
}

/// A student or a teacher.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    /// Unique among the people of one role.
    pub user_no: u64,
    /// First name and the rest.
    pub name_user: String,
    /// Not everybody has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_email: Option<String>,
}

impl Payload {
    /// One branch of this size.
    pub fn of(size: Size) -> Self {
        let classes = (1..=size.classes).map(|class| Class {
            id: class,
            name: format!("Grade {class}"),
            sections: (0..size.sections).map(|section| Section::of(size, class, section)).collect(),
        });
        Self {
            branches: vec![Branch {
                id: 10, name: "مدرسة النور - Al Noor School".into(), classes: classes.collect()
            }],
        }
    }

    /// Its bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a payload is always JSON")
    }

    /// Puts every list in another order. The same seed always gives the same order.
    pub fn shuffle(&mut self, seed: u64) {
        let mut rng = Rng::with_seed(seed);
        rng.shuffle(&mut self.branches);
        for branch in &mut self.branches {
            rng.shuffle(&mut branch.classes);
            for class in &mut branch.classes {
                rng.shuffle(&mut class.sections);
                for section in &mut class.sections {
                    section.shuffle(&mut rng);
                }
            }
        }
    }

    /// The section at these places.
    pub fn section(&mut self, class: usize, section: usize) -> &mut Section {
        &mut self.branches[0].classes[class].sections[section]
    }
}

impl Section {
    fn of(size: Size, class: u64, section: u64) -> Self {
        let first = ((class - 1) * size.sections + section) * size.students;
        Self {
            name: char::from(b'A' + u8::try_from(section).expect("no class has that many sections")).to_string(),
            subjects: (0..size.subjects).map(|nth| Subject::of((class - 1) * size.subjects + nth)).collect(),
            students: (first..first + size.students).map(|nth| Person::nth(100_001 + nth, "students")).collect(),
        }
    }

    fn shuffle(&mut self, rng: &mut Rng) {
        rng.shuffle(&mut self.students);
        rng.shuffle(&mut self.subjects);
        for subject in &mut self.subjects {
            rng.shuffle(&mut subject.teachers);
        }
    }
}

impl Subject {
    fn of(nth: u64) -> Self {
        let name = pick(&SUBJECTS, nth);
        Self { id: 1_001 + nth, name: name.into(), teachers: vec![Person::nth(9_001 + nth, "teachers")] }
    }
}

impl Person {
    /// The person with this number. Nine in ten have an email address.
    pub fn nth(user_no: u64, role: &str) -> Self {
        let names = if user_no.is_multiple_of(3) { &LATIN } else { &ARABIC };
        let (given, family) = (pick(&names.0, user_no / 3), pick(&names.1, user_no / 36));
        Self {
            user_no,
            name_user: format!("{given} {family}"),
            user_email: (!user_no.is_multiple_of(10)).then(|| format!("u{user_no}@{role}.alnoor.example")),
        }
    }
}

fn pick<'a>(words: &[&'a str], nth: u64) -> &'a str {
    words[usize::try_from(nth).expect("numbers of people are small") % words.len()]
}

type Names = ([&'static str; 12], [&'static str; 11]);

const ARABIC: Names = (
    ["محمد", "فاطمة", "أحمد", "مريم", "علي", "نور", "يوسف", "سارة", "عمر", "ليلى", "خالد", "هدى"],
    ["الأحمد", "الخطيب", "حداد", "النجار", "العلي", "منصور", "درويش", "عبد الله", "القاسم", "سليمان", "زيدان"],
);

const LATIN: Names = (
    ["Lina", "Omar", "Maya", "Karim", "Nadia", "Samir", "Hala", "Tariq", "Rania", "Ziad", "Dina", "Fadi"],
    ["Haddad", "Khoury", "Nasser", "Saleh", "Aziz", "Mansour", "Sabbagh", "Farah", "Issa", "Karam", "El Masri"],
);

const SUBJECTS: [&str; 7] = ["الرياضيات", "Physics", "اللغة العربية", "English", "Biology", "التاريخ", "Art"];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Payload, Size};

    #[test]
    fn the_large_school_is_as_large_as_the_benchmark_says() {
        let payload = Payload::of(Size::LARGE);
        let sections: Vec<_> = payload.branches[0].classes.iter().flat_map(|class| &class.sections).collect();
        let students: HashSet<_> = sections.iter().flat_map(|s| &s.students).map(|person| person.user_no).collect();
        let subjects: HashSet<_> = sections.iter().flat_map(|s| &s.subjects).map(|subject| subject.id).collect();
        assert_eq!((sections.len(), students.len(), subjects.len()), (160, 4_800, 240));
        let kilobytes = payload.to_bytes().len() / 1_000;
        assert!((580..590).contains(&kilobytes), "the payload has {kilobytes} KB");
    }

    #[test]
    fn shuffling_moves_but_never_loses() {
        let (original, mut shuffled) = (Payload::of(Size::SMALL), Payload::of(Size::SMALL));
        shuffled.shuffle(7);
        let (before, after) = (original.to_bytes(), shuffled.to_bytes());
        assert_ne!(before, after);
        assert_eq!(before.len(), after.len());
    }
}
