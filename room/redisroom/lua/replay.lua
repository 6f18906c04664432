-- Reads a part of a room's log.
--
-- KEYS     as in log.lua
-- ARGV     offsets after and before which to read, 0 for open; the most
--          messages; 1 to take the newest of them; about how many bytes of them
-- Result   {} for a room of which nothing is known, else {epoch, newest offset
--          ever, oldest offset kept or 0, 1 when there is more, offset of the
--          first entry returned, entries}
if not load() then
  return {}
end
expire()
local length = redis.call('LLEN', log)
if length == 0 then
  return {epoch, offset, 0, 0, 0, {}}
end
local after, before, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local first = offset - length + 1
local from, to = math.max(first, after + 1), offset
if before > 0 then
  to = math.min(to, before - 1)
end
if from > to then
  return {epoch, offset, first, 0, 0, {}}
end
local more = 0
if to - from + 1 > limit then
  more = 1
  if ARGV[4] == '1' then
    from = to - limit + 1
  else
    to = from + limit - 1
  end
end
local newest = ARGV[4] == '1'
local list = read(from - first, to - first, tonumber(ARGV[5]), newest)
if #list < to - from + 1 then
  more = 1
  if newest then
    from = to - #list + 1
  end
end
return {epoch, offset, first, more, from, list}
