-- Replays whole requests from a file (each after a line with its length), in turns, and says what it measured as JSON.

local asked, place, once = {}, 0, false

function init(args)
   local file = assert(io.open(args[1], "rb"))
   once = args[2] == "once"
   while true do
      local length = file:read("*l")
      if not length then break end
      asked[#asked + 1] = file:read(tonumber(length))
   end
   file:close()
end

function request()
   place = place + 1
   if place > #asked then
      place = 1
      if once then wrk.thread:stop() end
   end
   return asked[place]
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "seconds": %.6f, "bytes": %d, "refused": %d, "broken": %d,'
      .. ' "p50": %.6f, "p90": %.6f, "p99": %.6f, "longest": %.6f}\n',
      summary.requests, summary.duration / 1e6, summary.bytes, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
