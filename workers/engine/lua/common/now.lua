-- `now`: milliseconds of Redis's clock. No worker's clock decides anything, because their clocks differ.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
