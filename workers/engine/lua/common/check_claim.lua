-- Needs `journal`, `fence`, `token`.
-- Race: another worker claimed the journal after this worker's lease expired (higher fence), the client repeated a CLAIM
-- whose answer was lost (same fence, other token), or a person cancelled it (ended). The stale worker changes nothing.
local holder = redis.call('HMGET', journal, 'fence', 'token', 'ended')
if holder[1] ~= fence or holder[2] ~= token or holder[3] then return 0 end
