class OrdersController < ActionController::API
  ORDERS = { "1" => { items: [900, 1500] }, "2" => {} }.freeze

  def show
    render json: { total: Pricing.new(ORDERS[params[:id]]).total }
  end
end
