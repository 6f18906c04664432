-- What every script on the sessions of one user begins with.
--
-- KEYS[1]  sessions, a hash. Of the session ID it has the fields
--            ID:state     "CREATED SEEN END ISSUED TOKEN RELEASED"
--            ID:identity  JSON
--            ID:place     JSON
--            ID:rooms     JSON
--          END is when the identity expires, ISSUED when it was issued, TOKEN
--          the digest of its token ID and RELEASED 0 or 1
-- KEYS[2]  live, a sorted set: the ID of each session, by when it expires
-- KEYS[3]  ended, a sorted set: the ID of each revoked session, by when that
--          may be forgotten
-- KEYS[4]  tokens, a sorted set: the digest of each revoked token ID, by when
--          the revocation may be forgotten (inf: never)
-- KEYS[5]  before, a string "CUT TILL": what was issued before CUT is revoked
--          until TILL
--
-- All have the same hash tag. Times are whole microseconds since 1970 by the
-- server's clock; "-" stands for none. Results begin with what came of the
-- call: ok, missing, revoked, expired, other (another user) or full.
local sessions, live, ended, tokens, before = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- Lua's own conversion would round to 14 digits.
local function text(n)
  return n and string.format('%.0f', n) or '-'
end

local function forget(id)
  redis.call('HDEL', sessions, id .. ':state', id .. ':identity', id .. ':place', id .. ':rooms')
  redis.call('ZREM', live, id)
end

-- Drops what has expired. There is never more of it than the bound of a user.
-- A full Redis does not refuse it, nor what a script writes after it: revoking
-- begins with it and always works.
local function sweep()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', live, '-inf', text(now))) do
    forget(id)
  end
  redis.call('ZREMRANGEBYSCORE', ended, '-inf', text(now))
  redis.call('ZREMRANGEBYSCORE', tokens, '-inf', text(now))
end

-- Lets a key expire with the last entry of its index.
local function expire(key, index)
  local last = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')[2]
  if not last then
    redis.call('DEL', key)
  elseif last == 'inf' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIREAT', key, text(math.ceil(tonumber(last) / 1000)))
  end
end

local function settle()
  expire(sessions, live)
  expire(live, live)
  expire(ended, ended)
  expire(tokens, tokens)
end

-- Returns the state of a session, or nil and what became of it.
local function read(id)
  local expires = tonumber(redis.call('ZSCORE', live, id) or 0)
  local state = expires > now and redis.call('HGET', sessions, id .. ':state')
  if state then
    local created, seen, stop, issued, token, released = string.match(state, '^(%-?%d+) (%-?%d+) (%S+) (%-?%d+) (%S+) (%d)$')
    return {
      created = tonumber(created), seen = tonumber(seen), expires = expires, stop = tonumber(stop),
      issued = tonumber(issued), token = token, released = released == '1',
    }
  end
  if tonumber(redis.call('ZSCORE', ended, id) or 0) > now then
    return nil, 'revoked'
  end
  return nil, 'missing'
end

local function write(id, s)
  redis.call('HSET', sessions, id .. ':state', string.format('%.0f %.0f %s %.0f %s %d',
    s.created, s.seen, text(s.stop), s.issued, s.token, s.released and 1 or 0))
  redis.call('ZADD', live, text(s.expires), id)
end

-- Notes activity, which puts off the expiry unless the session was released.
local function seen(s, at, ttl)
  s.seen = math.max(s.seen, math.min(at, now))
  if not s.released then
    s.expires = math.min(s.seen + ttl, s.stop or math.huge)
  end
end

-- Returns what a caller is told of a session.
local function answer(id, s)
  local parts = redis.call('HMGET', sessions, id .. ':identity', id .. ':place', id .. ':rooms')
  return {'ok', id, s.created, s.seen, s.expires, parts[1], parts[2], parts[3]}
end

-- Leaves of a session that it was revoked, for as long as it would have lived.
local function finish(id, s)
  forget(id)
  redis.call('ZADD', ended, text(s.expires), id)
end

-- Returns CUT and TILL of what was issued before some time, if that holds.
local function cutoff()
  local cut, till = string.match(redis.call('GET', before) or '', '^(%-?%d+) (%S+)$')
  till = tonumber(till)
  if cut and not (till and till <= now) then
    return tonumber(cut), till
  end
end

local function covered(issued, token)
  local till = token ~= '-' and redis.call('ZSCORE', tokens, token)
  if till and (till == 'inf' or tonumber(till) > now) then
    return true
  end
  local cut = cutoff()
  return cut ~= nil and issued < cut
end

-- Says whether an identity may have a session.
local function admissible(issued, stop, token)
  if covered(issued, token) then
    return 'revoked'
  end
  if stop and stop <= now then
    return 'expired'
  end
  return 'ok'
end

-- Revokes a token; of two revocations the one that holds longer counts.
local function revoke_token(token, till, most)
  if till and till <= now then
    return 'ok'
  end
  local old = redis.call('ZSCORE', tokens, token)
  if old then
    if old == 'inf' or till and till <= tonumber(old) then
      return 'ok'
    end
  elseif redis.call('ZCARD', tokens) >= most then
    return 'full'
  end
  redis.call('ZADD', tokens, till and text(till) or '+inf', token)
  return 'ok'
end

-- Revokes what was issued before some time; two revocations become one that
-- covers both.
local function revoke_before(cut, till)
  if till and till <= now then
    return
  end
  local old_cut, old_till = cutoff()
  if old_cut then
    cut = math.max(cut, old_cut)
    till = till and old_till and math.max(till, old_till)
  end
  redis.call('SET', before, text(cut) .. ' ' .. text(till))
  if till then
    redis.call('PEXPIREAT', before, text(math.ceil(till / 1000)))
  end
end

-- Ends the sessions that a test says are covered.
local function finish_all(test)
  for _, id in ipairs(redis.call('ZRANGE', live, 0, -1)) do
    local s = read(id)
    if s and test(s) then
      finish(id, s)
    end
  end
end
