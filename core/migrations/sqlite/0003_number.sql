-- The last number that was given out, by what it numbers: a record type, or a series that a partner's own logic names.
-- It outlives what was numbered, so that no number is used twice.
create table number (
    connection integer not null references connection (id),
    what text not null,
    last integer not null,
    primary key (connection, what)
) strict, without rowid;
