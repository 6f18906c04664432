-- Adds a record.
--
-- KEYS     1 to 6 as in room.lua
-- ARGV     ROOM, record, owner, claim
-- Result   {ok} or {exists}
if version() ~= '0' then
  return {'exists'}
end
redis.call('HSET', record, 'version', '1', 'record', ARGV[2], 'owner', ARGV[3], 'claim', ARGV[4])
if nobody() then
  emptied(ARGV[1])
end
return {'ok'}
