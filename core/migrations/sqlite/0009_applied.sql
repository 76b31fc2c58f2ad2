-- What was applied last counts until the next commit, and each commit says anew what that is: the state need not be compared.
alter table connection drop column applied_state;
