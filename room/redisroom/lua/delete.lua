-- Removes all that there is of a room.
--
-- KEYS     1 to 6 as in room.lua
-- ARGV     ROOM, "" or the time since before which the room must be empty
-- Result   {ok, owner, claim}, {none} when there was no record, or {kept} when
--          it is not empty since before that time
if ARGV[2] ~= '' then
  local since = redis.call('ZSCORE', empty, ARGV[1])
  if not since or tonumber(since) >= tonumber(ARGV[2]) then
    return {'kept'}
  end
end
local had = version() ~= '0'
local claim = redis.call('HMGET', record, 'owner', 'claim')
local present = redis.call('HKEYS', seats)
redis.call('UNLINK', record, members, users, seats, sanctions)
redis.call('ZREM', empty, ARGV[1])
expel(present)
if not had then
  return {'none'}
end
return {'ok', claim[1], claim[2]}
