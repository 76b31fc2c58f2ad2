-- Who may read a tenant and was set up beside those of configurations.
create table reader (
    tenant text not null,
    reader text not null,
    -- from 1; whoever decides names the one that is followed
    revision bigint not null,
    -- JSON; credentials are digests
    body text not null,
    primary key (tenant, reader)
);
