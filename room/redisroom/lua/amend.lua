-- Changes a stored message, stores the change and publishes it, once.
--
-- KEYS     as in log.lua
-- ARGV     five as in log.lua; the channel; PUBLISH or SPUBLISH; an ID of the
--          call, the same for its repetitions; the author that the message must
--          be of, or empty; retention: number and age in ms; the time of the
--          change in ms; the encoded change; the offset of the message; 1 to
--          redact it, 0 to edit it; its new data; the kinds of a message and
--          of an edit
-- Result   {1, epoch, offset, time}, or {0} when there is no such message
local channel, publish, op, author = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local body, target, redact, data = ARGV[13], tonumber(ARGV[14]), ARGV[15] == '1', ARGV[16]
local said, edited = tonumber(ARGV[17]), tonumber(ARGV[18])
open()
local before = seen_call(op)
if before then
  touch()
  local o, t, e = string.match(before, '^(%d+) (%-?%d+) (%w*) ')
  return {1, e, tonumber(o), t}
end
expire()
local length = redis.call('LLEN', log)
local first = offset - length + 1
if target < first or target > offset then
  return {0}
end

local binary, gone = 1, 2 -- flags
local function open_entry(o)
  local e = redis.call('LINDEX', log, num(o - offset - 1))
  local kind, flags, fromLength, headLength = struct.unpack('>BBI2I4', e, 16)
  return e, kind, flags, string.sub(e, 24, 23 + fromLength), string.sub(e, 24 + fromLength, 23 + fromLength + headLength)
end
local function rewrite(o, e, kind, flags, from, head, content)
  redis.call('LSET', log, num(o - offset - 1), string.sub(e, 1, 15) .. struct.pack('>BBI2I4', kind, flags, #from, #head) .. from .. head .. content)
end

local e, kind, flags, from, head = open_entry(target)
if kind ~= said or math.floor(flags / gone) % 2 == 1 or (author ~= '' and author ~= from) then
  return {0}
end
rewrite(target, e, kind, redact and gone or 0, from, head, redact and '' or data)
local changes = redis.call('HGET', edits, num(target)) or ''
if redact then
  for o in string.gmatch(changes, '%d+') do
    o = tonumber(o)
    if o >= first and o <= offset then
      local e2, kind2, _, from2, head2 = open_entry(o)
      if kind2 == edited then
        rewrite(o, e2, kind2, gone, from2, head2, '')
      end
    end
  end
  redis.call('HDEL', edits, num(target))
end

seq, offset = seq + 1, offset + 1
retain(ARGV[10], ARGV[11])
local entry = '\1' .. struct.pack('>I6', seq) .. body
redis.call('PEXPIRE', meta, num(math.max(age + 2000, tonumber(ARGV[5]))))
length = append(entry)
redis.call('PEXPIRE', log, num(age + 1000))
if not redact then
  -- Which edits there are of a message, for when it is redacted.
  redis.call('HSET', edits, num(target), changes .. num(offset) .. ' ')
  redis.call('PEXPIRE', edits, num(age + 1000))
  if redis.call('HLEN', edits) > length then
    first = offset - length + 1
    for _, o in ipairs(redis.call('HKEYS', edits)) do
      if tonumber(o) < first then
        redis.call('HDEL', edits, o)
      end
    end
  end
end
remember_call(op, num(offset) .. ' ' .. ARGV[12] .. ' ' .. epoch .. ' ' .. op)
redis.call(publish, channel, '\1' .. gen .. epoch .. struct.pack('>I6I4', offset, #entry) .. entry)
return {1, epoch, offset, ARGV[12]}
