require "sinatra"
require_relative "lib/average"

get "/average" do
  Average.of(params.fetch("values", "").split(",").map(&:to_i)).to_s
end

get "/health" do
  "ok"
end
