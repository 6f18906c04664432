-- Returns what there is of a user.
--
-- KEYS     as in scope.lua
-- ARGV     user
-- Result   {seen, list of entries}
return {redis.call('GET', seen) or '', read(ARGV[1])}
