"""Turns Jusoor's branches, classes and sections into schools, courses, classes, people and enrollments.

The same mapper as `mappers/jusoor`, whose head says what becomes of what.
"""

from rollcall import Mapper, escape, split

# What a person is: the first part of a source id, and the role in OneRoster.
ROLES = {"student": "student", "teacher": "teacher", "manager": "principal", "admin": "siteAdministrator"}

KINDS = {
    "org": {"name": "text", "type": "text", "identifier": "text"},
    "academicSession": {
        "title": "text", "startDate": "text", "endDate": "text", "type": "text", "schoolYear": "text",
    },
    "course": {"title": "text", "courseCode": "text", "org": "reference"},
    "class": {
        "title": "text", "classType": "text", "course": "reference", "school": "reference", "terms": "nested",
        "subjects": "nested",
    },
    "user": {
        "enabledUser": "text", "givenName": "text", "familyName": "text", "roles": "nested", "email": "text",
        "metadata": "nested",
    },
    "enrollment": {
        "user": "reference", "class": "reference", "school": "reference", "role": "text", "metadata": "nested",
    },
}


def map_branch(branch, mirror, options, out):
    """The school itself, its year, and who runs it: its own people and those named beside all branches."""
    school = branch_id(branch["id"])
    out.add("org", school, name=branch["name"], type="school", identifier=str(branch["id"]))
    year = options.get("schoolYear")
    if year:
        out.add(
            "academicSession", year_id(year),
            title=year["name"], startDate=year["start"], endDate=year["end"], type="schoolYear",
            schoolYear=year["end"].split("-")[0],
        )
    people = Staff(school, options, out)
    for named in (branch, mirror):
        for nth, person in enumerate(named.get("managers", [])):
            people.add("manager", person, f"/managers/{nth}")
        for nth, person in enumerate(named.get("school_admins", [])):
            people.add("admin", person, f"/school_admins/{nth}")


def map_class(grade, branch, _, out):
    """A class of Jusoor is a grade: what is taught there is a course of the school."""
    school = branch_id(branch["id"])
    out.add("course", f"{school}/class:{grade['id']}", title=grade["name"], courseCode=str(grade["id"]), org=school)


def map_section(section, grade, options, out):
    """The class, its subjects, its people, and what they do in it."""
    school = branch_id(grade["parent"]["id"])
    course = f"{school}/class:{grade['id']}"
    place = f"{course}/section:{escape(section['name'])}"
    year = options.get("schoolYear")
    out.add(
        "class", place,
        title=section["name"], classType="homeroom", course=course, school=school,
        terms=[year_id(year)] if year else [],
        subjects=sorted({subject["name"] for subject in section["subjects"]}),
    )
    people = Staff(school, options, out)
    in_class = {"class": place, "school": school}
    for nth, student in enumerate(section["students"]):
        user = people.add("student", student, f"/students/{nth}")
        out.add("enrollment", f"{place}/student:{student['user_no']}", user=user, role="student", **in_class)
    for at, subject in enumerate(section["subjects"]):
        taught = f"{school}/subject:{subject['id']}"
        out.add("course", taught, title=subject["name"], courseCode=str(subject["id"]), org=school)
        for nth, teacher in enumerate(subject["teachers"]):
            user = people.add("teacher", teacher, f"/subjects/{at}/teachers/{nth}")
            teaching = f"{place}/teacher:{teacher['user_no']}/subject:{subject['id']}"
            out.add("enrollment", teaching, user=user, role="teacher", metadata={"course": taught}, **in_class)


class Staff:
    """The people of one record in one school. Who appears twice and is the same both times is said once."""

    def __init__(self, school, options, out):
        self.school, self.out, self.seen = school, out, {}
        self.scope = f"{school}/" if options.get("personScope") == "branch" else ""

    def add(self, role, person, place):
        """Says who the person is; gives the person's id."""
        own = f"{role}:{person['user_no']}"
        first = self.seen.setdefault(own, person)
        if first is person or described(first) != described(person):
            self.say(self.scope + own, role, person, place)
        return self.scope + own

    def say(self, user, role, person, place):
        given, family = split(person["name_user"])
        if not given:
            self.out.warn("no-name", f"{place}/name_user", "the name is empty")
        self.out.add(
            "user", user,
            enabledUser="true", givenName=given, familyName=family,
            roles=[{"roleType": "primary", "role": ROLES[role], "org": self.school}],
            email=person.get("user_email") or None, metadata={"name": person["name_user"]},
        )


def described(person):
    """What Jusoor documents of a person beside the number; what else is sent makes nobody another one."""
    return person["name_user"], person.get("user_email")


def branch_id(branch):
    return f"branch:{branch}"


def year_id(year):
    return f"schoolYear:{escape(year['name'])}"


RECORDS = {"Branch": map_branch, "Class": map_class, "Section": map_section}

MAPPER = Mapper(partner="jusoor", version="0.1.0", kinds=KINDS, records=RECORDS)


class Mapping:
    """What the component exports."""

    def describe(self):
        return MAPPER.describe()

    def convert(self, options, inputs):
        return MAPPER.convert(options, inputs)
