-- Makes a batch of changes, all or none.
--
-- KEYS     as in scope.lua
-- ARGV     node, Op, Prev, At in milliseconds, the user whose scope it is or
--          "", the token under which the node has claimed the scope or 0, for
--          how long a token is good, an answer is kept and seen is kept, whether
--          the node must not have entries (0 or 1), then for each change five:
--            put, user, connection, visible (0 or 1), the rest
--            amend, as put
--            remove, user, connection, "", ""
--            user, user, "", "", ""                (RemoveUser)
--            node, node, limit, its token or 0, "" (RemoveNode)
-- Result   {ok, users, holds, {revision, more, cleared, transitions}},
--            holds: whether the node has entries after the batch
--            cleared: {node, token, …} for nodes that have none any more
--            transitions: {user, entries before, entries after, …}
--          {lost}
--          {old}: the node has made a later batch
--          {claim, token}: the node has to claim the scope again, with a
--            token greater than this one
--
-- A scope is claimed before entries are written in it, and released after a
-- survivor has found none. In between the node may write again: so who clears
-- a node away bars the token that it releases. Tokens that are too old are
-- refused, so that bars need not be kept for longer.
--
-- The first write of a batch that adds something is one that a full Redis
-- refuses. Behind another it would be let through, for Redis stops no script
-- half-way: so what is due is forgotten last.
local node, op, prev, at, whose, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local good, kept, seen_kept, first = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], 11
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- Lua's own conversion would round to 14 digits.
local function text(n)
  return string.format('%.0f', n)
end

local function name(of)
  return 'n' .. #of .. ':' .. of
end

-- Returns up to so many members of order that say of whom a node has entries.
local function held(of, most)
  local n = name(of)
  -- The first that no longer begins like this: a byte 255 has none above it.
  local stem = string.gsub(n, '\255+$', '')
  local above = string.sub(stem, 1, -2) .. string.char(string.byte(stem, -1) + 1)
  return redis.call('ZRANGEBYLEX', order, '[' .. n, '(' .. above, 'LIMIT', 0, most)
end

-- Says whether a number, in digits, is less than another.
local function less(a, b)
  return #a < #b or #a == #b and tonumber(a) < tonumber(b)
end

local last = redis.call('HGET', batches, 'b' .. node)
last = last and cmsgpack.unpack(last)
if last and last[1] == op then
  return {'ok', redis.call('HLEN', entries), #held(node, 1), last[2]}
end
if prev ~= '0' and not (last and last[1] == prev) or ARGV[10] == '1' and #held(node, 1) > 0 then
  return {'lost'}
end
if last and less(op, last[1]) then
  return {'old'}
end
for i = first, #ARGV, 5 do
  if ARGV[i] == 'put' or ARGV[i] == 'amend' then
    local barred = tonumber(redis.call('ZSCORE', due, 'c' .. node) or 0) - 2 * good
    if token <= barred or token + good < now then
      return {'claim', text(math.max(barred, token))}
    end
    break
  end
end

local users = {} -- of each user that was touched: before, list, and what is written

local function touch(user)
  local u = users[user]
  if not u then
    local list = read(user)
    u = {before = {}, list = list, written = {}}
    for i, e in ipairs(list) do
      u.before[i] = e
      u.written[i] = e
    end
    users[user] = u
  end
  return u
end

local function find(list, connection)
  for i, e in ipairs(list) do
    if e[1] == connection then
      return i
    end
  end
end

local function nodes_of(list)
  local set = {}
  for _, e in ipairs(list) do
    set[e[2]] = true
  end
  return set
end

-- Writes what has changed.
local function write()
  for user, u in pairs(users) do
    if u.dirty then
      u.dirty = false
      if #u.list > 0 then
        redis.call('HSET', entries, user, cmsgpack.pack(u.list))
      else
        redis.call('HDEL', entries, user)
      end
      if #u.list > 0 and #u.written == 0 then
        redis.call('ZADD', order, 0, 'u' .. user)
      elseif #u.list == 0 and #u.written > 0 then
        redis.call('ZREM', order, 'u' .. user)
      end
      local old, new = nodes_of(u.written), nodes_of(u.list)
      for n in pairs(new) do
        if not old[n] then
          redis.call('ZADD', order, 0, name(n) .. user)
        end
      end
      for n in pairs(old) do
        if not new[n] then
          redis.call('ZREM', order, name(n) .. user)
        end
      end
      u.written = {}
      for i, e in ipairs(u.list) do
        u.written[i] = e
      end
    end
  end
end

local more, cleared = 0, {}

local function remove_node(of, limit, bar)
  write()
  for _, member in ipairs(held(of, limit)) do
    local u = touch(string.sub(member, #name(of) + 1))
    for i = #u.list, 1, -1 do
      if u.list[i][2] == of and limit > 0 then
        table.remove(u.list, i)
        u.dirty = true
        limit = limit - 1
      end
    end
  end
  write()
  redis.call('HDEL', batches, 'b' .. of)
  redis.call('ZREM', due, 'b' .. of)
  if #held(of, 1) > 0 then
    more = 1
  elseif bar ~= '0' then
    redis.call('ZADD', due, 'GT', text(tonumber(bar) + 2 * good), 'c' .. of)
    cleared[#cleared + 1] = of
    cleared[#cleared + 1] = bar
  end
end

for i = first, #ARGV, 5 do
  local action, who, connection = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if action == 'node' then
    remove_node(who, tonumber(connection), ARGV[i + 3])
  else
    local u = touch(who)
    local place = find(u.list, connection)
    if action == 'user' then
      u.list, u.dirty = {}, true
    elseif action == 'remove' then
      if place then
        table.remove(u.list, place)
        u.dirty = true
      end
    elseif place or action == 'put' then
      u.list[place or #u.list + 1] = {connection, node, ARGV[i + 3], ARGV[i + 4]}
      u.dirty = true
    end
  end
end
write()

local function visible(list)
  for _, e in ipairs(list) do
    if e[3] == '1' then
      return true
    end
  end
  return false
end

local transitions = {}
for user, u in pairs(users) do
  transitions[#transitions + 1] = user
  transitions[#transitions + 1] = u.before
  transitions[#transitions + 1] = u.list
  if user == whose and visible(u.list) then
    redis.call('DEL', seen)
  elseif user == whose and visible(u.before) then
    redis.call('SET', seen, at, 'PX', seen_kept)
  end
end
-- The time keeps the revision growing even when the last one is forgotten.
local revision = text(math.max(now, tonumber(redis.call('HGET', batches, 'r') or 0) + 1))
local answer = {revision, more, cleared, transitions}
redis.call('HSET', batches, 'r', revision, 'b' .. node, cmsgpack.pack({op, answer}))
local holds = #held(node, 1)
if holds > 0 then
  redis.call('ZREM', due, 'b' .. node)
else
  redis.call('ZADD', due, text(now + kept), 'b' .. node)
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', text(now), 'LIMIT', 0, 16)) do
  redis.call('ZREM', due, member)
  if string.sub(member, 1, 1) == 'b' then
    redis.call('HDEL', batches, member)
  end
end
local count = redis.call('HLEN', entries)
if count > 0 then
  redis.call('PERSIST', batches)
  redis.call('PERSIST', due)
else
  local till = redis.call('ZRANGE', due, -1, -1, 'WITHSCORES')[2]
  till = text(math.ceil(tonumber(till) / 1000))
  redis.call('PEXPIREAT', batches, till)
  redis.call('PEXPIREAT', due, till)
end
return {'ok', count, holds, answer}
