-- Check a claim right before a change outside. Returns 0 if the claim is lost or its lease ends too soon.
local journal = KEYS[1]
local fence, token, min_lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
-- @include common/now.lua
-- @include common/check_claim.lua

-- Race: the lease may expire while the change is on its way, and another worker would make it as well.
if tonumber(redis.call('HGET', journal, 'lease') or 0) < now + min_lease_ms then return 0 end
return 1
