-- Needs `now`, `schedule`. Something in the journal changed that its stage must look at: it is due now, also if it ended.
local function wake(key)
  -- A journal that expired, or was never opened, must not come back as a hash without a stage.
  if redis.call('EXISTS', key) == 0 then return end
  -- Race: a worker holds the claim and has read the old state. `signals` is then higher than the `signals_seen` of its
  -- claim, and ADVANCE and END schedule the journal again instead of losing this change.
  redis.call('HINCRBY', key, 'signals', 1)
  redis.call('HDEL', key, 'ended', 'ended_as')
  redis.call('PERSIST', key)
  redis.call('ZADD', schedule, now, key)
end
