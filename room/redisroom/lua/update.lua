-- Replaces a record, or adds one where the version is 0.
--
-- KEYS     1 to 6 as in room.lua
-- ARGV     ROOM, the version that the record has now, the one that it will
--          have, record, owner, claim ("": none was made)
-- Result   {ok, owner before, claim before, claim}, the owner "" when it is the same
--          and so the claim is, {conflict}, or {claim}: nothing was done, because
--          the owner is another than before and needs a claim
if version() ~= ARGV[2] then
  return {'conflict'}
end
local owner, claim = ARGV[5], ARGV[6]
local old = redis.call('HMGET', record, 'owner', 'claim')
local old_owner, old_claim = old[1] or '', old[2] or ''
if owner ~= '' and owner ~= old_owner and claim == '' then
  return {'claim'}
end
if owner == old_owner then
  claim, old_owner, old_claim = old_claim, '', ''
end
redis.call('HSET', record, 'version', ARGV[3], 'record', ARGV[4], 'owner', owner, 'claim', claim)
if ARGV[2] == '0' and nobody() then
  emptied(ARGV[1])
end
return {'ok', old_owner, old_claim, claim}
