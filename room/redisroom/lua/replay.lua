-- Reads a part of a room's log.
--
-- KEYS     as in log.lua
-- ARGV     five as in log.lua; offsets after and before which to read, 0 for
--          open; the most messages; 1 to take the newest of them; an epoch and
--          an offset that somebody has come to, or two empty strings; about how
--          many bytes of messages to return
-- Result   {} for a room of which nothing is known, else {epoch, newest offset
--          ever, oldest offset kept or 0, 1 when the log goes on from where
--          somebody has come to and then only what is behind that is returned,
--          1 when there is more, offset of the first entry returned, entries}
if not load() then
  return {}
end
renew()
expire()
local after, before, limit = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local follows = 0
if ARGV[10] ~= '' and tonumber(ARGV[11]) <= reach(ARGV[10]) then
  follows, after = 1, math.max(after, tonumber(ARGV[11]))
end
local length = redis.call('LLEN', log)
if length == 0 then
  return {epoch, offset, 0, follows, 0, 0, {}}
end
local first = offset - length + 1
local from, to = math.max(first, after + 1), offset
if before > 0 then
  to = math.min(to, before - 1)
end
if from > to then
  return {epoch, offset, first, follows, 0, 0, {}}
end
local more, newest = 0, ARGV[9] == '1'
if to - from + 1 > limit then
  more = 1
  if newest then
    from = to - limit + 1
  else
    to = from + limit - 1
  end
end
local list = read(from - first, to - first, tonumber(ARGV[12]), newest)
if #list < to - from + 1 then
  more = 1
  if newest then
    from = to - #list + 1
  end
end
return {epoch, offset, first, follows, more, from, list}
