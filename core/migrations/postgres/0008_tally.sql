-- What versions have come to that ran beside the ones in use: what one process has looked at. Whoever is not there any more
-- stays counted.
create table tally (
    partner text not null,
    -- the line of the log that let the version run
    run bigint not null,
    process uuid not null,
    -- JSON; says nothing of what records hold
    body text not null,
    primary key (partner, run, process)
);
