-- What the scripts on one room have in common. It comes before each of them.
--
-- KEYS     meta, log, tail, ids, older ids, ops, older ops, edits
-- ARGV     the first five: a generation and an epoch to use if new ones are
--          needed; the generation and sequence number that the caller has seen
--          (or two empty strings); how long the room is to be remembered at
--          least, in ms
--
-- meta is a hash of
--   g, s     generation, and sequence number of its newest message of any kind
--   e, o     epoch, and offset of its newest stored message
--   f        the first generation since nothing was known of the room
--   l        the generations that this one goes on from, the last first, each
--            with the sequence number and offset up to which there was
--            something left of it: "g s o," up to 16 times
--   p        the same of epochs, with the present one before them: "e,e o,e o,"
--   r, c     the server's replication ID and when it was last looked at
--   n, a     retention: number of messages, age in ms
--   x        the time of the first entry of log, where that is large
--   ia, oa   since when ids and ops have been filled
-- log and tail are lists of entries: 1 byte version, 6 bytes sequence number,
-- and what the node has encoded, which begins with 8 bytes for the time. The
-- last of log has the offset o, the one before it o - 1, and so on.
local meta, log, tail, edits = KEYS[1], KEYS[2], KEYS[3], KEYS[8]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local gen, epoch, seq, offset, run, checked, keep, age, oldest

local function num(n)
  return string.format('%.0f', n)
end

-- load reads meta and says whether there is one.
local function load()
  local v = redis.call('HMGET', meta, 'g', 'e', 's', 'o', 'r', 'c', 'n', 'a', 'x')
  if not v[1] then
    return false
  end
  gen, epoch, seq, offset = v[1], v[2], tonumber(v[3]), tonumber(v[4])
  run, checked, keep, age = v[5], tonumber(v[6] or 0), tonumber(v[7] or 0), tonumber(v[8] or 0)
  oldest = v[9] and tonumber(v[9])
  return true
end

-- A server that was restarted, or a replica that was promoted, may have lost
-- the end of what it had, and has another replication ID. Nobody may take its
-- next offset for a lost one. It is looked for again after so many ms, which is
-- less than it takes a server to start.
local look = 10
local function history()
  local info = redis.pcall('INFO', 'replication')
  return type(info) == 'string' and string.match(info, 'master_replid:(%w+)') or ''
end

-- former are the epochs that this one goes on from, as in p. They are those of
-- another one when that was begun by a forget, or by a version that had no p.
local function former()
  local all = redis.call('HGET', meta, 'p') or ''
  if string.sub(all, 1, #epoch + 1) ~= epoch .. ',' then
    return ''
  end
  return string.sub(all, #epoch + 2)
end

-- reach is the offset up to which what there was in an epoch is what there is,
-- or was in this one; -1 when this one does not go on from it.
local function reach(one)
  local least = offset
  if one == epoch then
    return least
  end
  for e, o in string.gmatch(former(), '(%w+) (%d+),') do
    least = math.min(least, tonumber(o))
    if e == one then
      return least
    end
  end
  return -1
end

-- bump goes on in a new generation and a new epoch with what there is.
local ancestors = 16
local function lineage(line, older)
  local n = 1
  for one in string.gmatch(older, '[^,]+,') do
    n = n + 1
    if n > ancestors then
      break
    end
    line = line .. one
  end
  return line
end
local function bump()
  local gens = lineage(gen .. ' ' .. num(seq) .. ' ' .. num(offset) .. ',', redis.call('HGET', meta, 'l') or '')
  local epochs = lineage(epoch .. ' ' .. num(offset) .. ',', former())
  redis.call('HSET', meta, 'l', gens, 'p', ARGV[2] .. ',' .. epochs, 'g', ARGV[1], 'e', ARGV[2])
  gen, epoch = ARGV[1], ARGV[2]
end

-- renew sees to it that the position, which was loaded, is none that was ever
-- given to something else.
local function renew()
  local bumped = false
  if now - checked >= look or now < checked then
    local id = history()
    if id ~= run then
      bump()
      bumped = true
    end
    redis.call('HSET', meta, 'r', id, 'c', num(now))
  end
  if not bumped and ARGV[3] == gen and tonumber(ARGV[4]) > seq then
    bump()
  end
end

-- open reads meta, or makes one.
local function open()
  if not load() then
    redis.call('DEL', log, tail, KEYS[4], KEYS[5], KEYS[6], KEYS[7], edits)
    gen, epoch, seq, offset, run, checked, keep, age = ARGV[1], ARGV[2], 0, 0, history(), now, 0, 0
    redis.call('HSET', meta, 'f', gen, 'g', gen, 'e', epoch, 's', 0, 'o', 0, 'r', run, 'c', num(now))
    redis.call('PEXPIRE', meta, ARGV[5])
    return
  end
  renew()
end

-- touch writes what is there already, when there is nothing else to write: WAIT
-- waits for the last write of its connection (before Redis 7.2 for the last
-- command), and what was done before may have come through another.
local function touch()
  redis.call('HSET', meta, 'g', gen)
end

local function sequence(entry)
  return struct.unpack('>I6', entry, 2)
end

local function at(entry)
  return struct.unpack('>i8', entry, 8)
end

-- An entry can be looked at only as a whole, which takes 10 ms where that is 5
-- MiB. So of a first one that is so large the time is noted, until another is the
-- first.
local large = 4096
local function begins_anew()
  if oldest then
    oldest = nil
    redis.call('HDEL', meta, 'x')
  end
end

-- append adds an entry to the log, and returns how many there are then.
local function append(entry)
  local n = redis.call('RPUSH', log, entry)
  if n == 1 then
    begins_anew() -- what there was has expired
  end
  if n > keep then
    redis.call('LTRIM', log, num(-keep), -1)
    begins_anew()
    n = keep
  end
  return n
end

-- expire drops what is too old from the beginning of the log.
local function expire()
  if age <= 0 then
    return
  end
  local function old(i)
    local e = redis.call('LINDEX', log, num(i))
    return e and now - at(e) > age
  end
  local function first_is_old()
    if not oldest then
      local e = redis.call('LINDEX', log, 0)
      if not e or #e <= large then
        return e and now - at(e) > age
      end
      oldest = at(e)
      redis.call('HSET', meta, 'x', num(oldest))
    end
    return now - oldest > age
  end
  if not first_is_old() then
    return
  end
  -- It is not many, mostly, and few are to be looked at.
  local low, high, step = 0, redis.call('LLEN', log), 1
  while low + step < high and old(low + step) do
    low, step = low + step, 2 * step
  end
  high = math.min(high, low + step)
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if old(middle) then
      low = middle
    else
      high = middle
    end
  end
  redis.call('LTRIM', log, num(high), -1)
  begins_anew()
  while first_is_old() do -- times need not ascend
    redis.call('LPOP', log)
    begins_anew()
  end
end

-- read returns the entries of the log from one index to another, no more of them
-- than have so many bytes, but for the last one: the first ones, or the newest.
-- How long they are is known only when they are there, and of 5 MiB each takes 10
-- ms: so a few at a time.
local function read(from, to, most, newest)
  local list, size, step = {}, 0, 1
  while from <= to and size < most do
    local part
    if newest then
      part = redis.call('LRANGE', log, num(math.max(from, to - step + 1)), num(to))
      to = to - #part
    else
      part = redis.call('LRANGE', log, num(from), num(math.min(to, from + step - 1)))
      from = from + #part
    end
    for i = 1, #part do
      if size < most then
        list[#list + 1] = part[newest and #part - i + 1 or i]
        size = size + #list[#list]
      end
    end
    step = math.min(2 * step, 4)
  end
  if newest then
    for i = 1, math.floor(#list / 2) do
      list[i], list[#list - i + 1] = list[#list - i + 1], list[i]
    end
  end
  return list
end

-- retain notes the retention of what is being stored. The notes of edits last as
-- long as these do in the log.
local function retain(number, lasts)
  keep = tonumber(number)
  if age ~= tonumber(lasts) then
    age = tonumber(lasts)
    redis.call('PEXPIRE', edits, num(age + 1000), 'GT')
  end
  redis.call('HSET', meta, 's', num(seq), 'o', num(offset), 'n', number, 'a', lasts)
end

-- What was done is remembered in two generations of a hash: the older one goes
-- when the newer one has been filled for long enough, or is full.
local function seen(new, old, field)
  return redis.call('HGET', new, field) or redis.call('HGET', old, field)
end
local function remember(new, old, since, field, value, enough, most, lasts)
  if redis.call('HSET', new, field, value) == 1 then
    local n = redis.call('HLEN', new)
    if n == 1 then
      redis.call('HSET', meta, since, num(now))
    elseif n >= most or now - tonumber(redis.call('HGET', meta, since) or 0) >= enough then
      redis.call('UNLINK', old)
      redis.call('RENAME', new, old)
      redis.call('PEXPIRE', old, lasts)
      return
    end
  end
  redis.call('PEXPIRE', new, lasts)
end

-- A call of a node is remembered for a minute, so that it can be repeated.
local function seen_call(op)
  return seen(KEYS[6], KEYS[7], op)
end
local function remember_call(op, value)
  remember(KEYS[6], KEYS[7], 'oa', op, value, 60000, 10000, 120000)
end
