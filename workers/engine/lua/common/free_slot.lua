-- Needs `now`, `schedule`, `slot`. The environment's next sweep is due as soon as this one is out of the way.
local function free_slot(sweep)
  -- The slot may name another sweep by now: only this sweep's own entries are removed.
  if redis.call('HGET', slot, 'running_sweep') == sweep then redis.call('HDEL', slot, 'running_sweep') end
  local queued = redis.call('HGET', slot, 'queued_sweep')
  if queued then redis.call('ZADD', schedule, now, queued) end
end
