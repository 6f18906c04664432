-- Notes the activity of some sessions of one user.
--
-- KEYS     as in user.lua
-- ARGV     TTL, then for each: ID, when, rooms ("-": as they are)
-- Result   for each: ok, missing or revoked
local ttl, result = tonumber(ARGV[1]), {}
for i = 2, #ARGV, 3 do
  local id, rooms = ARGV[i], ARGV[i + 2]
  local s, outcome = read(id)
  if s then
    seen(s, tonumber(ARGV[i + 1]), ttl)
    write(id, s)
    if rooms ~= '-' then
      redis.call('HSET', sessions, id .. ':rooms', rooms)
    end
  end
  result[#result + 1] = outcome or 'ok'
end
sweep()
settle()
return result
