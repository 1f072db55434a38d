//! `meridian listing find`.

use clap::Args;
use meridian_client::Find;

use super::ApiArgs;

/// What is looked for: listings of which all of this is true.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: meridian listing find sauna --near 59.91,10.75 --radius-km 5 --sort distance"
)]
pub(crate) struct FindArgs {
    /// Words in title, place, amenities or description; all have to be there.
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Degrees north and east, from where distances are measured.
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
    near: Option<String>,
    /// How far from there at most.
    #[arg(long, value_name = "KM")]
    radius_km: Option<f64>,
    /// A rectangle, in degrees.
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true)]
    bbox: Option<String>,
    /// First night; what is known to be taken is left out.
    #[arg(long, value_name = "YYYY-MM-DD", requires = "check_out")]
    check_in: Option<String>,
    /// The day after the last night.
    #[arg(long, value_name = "YYYY-MM-DD", requires = "check_in")]
    check_out: Option<String>,
    /// Guests that it has to take.
    #[arg(long)]
    guests: Option<u32>,
    /// An amenity that it has to have; may be repeated.
    #[arg(long = "amenity", value_name = "AMENITY")]
    amenities: Vec<String>,
    /// Least price, in minor units (cents).
    #[arg(long, value_name = "AMOUNT")]
    price_min: Option<u64>,
    /// Highest price, in minor units.
    #[arg(long, value_name = "AMOUNT")]
    price_max: Option<u64>,
    /// Currency of the price, as in `EUR`.
    #[arg(long)]
    currency: Option<String>,
    /// Kind of room, as in `Private room`.
    #[arg(long)]
    room_type: Option<String>,
    /// `relevance`, `price` or `distance`.
    #[arg(long)]
    sort: Option<String>,
    /// Listings to print, up to 100.
    #[arg(long)]
    limit: Option<u32>,
    /// Where an earlier answer ended.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
    /// Print the whole answer as JSON, facets included.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) to: ApiArgs,
}

impl FindArgs {
    /// As the client asks.
    pub(crate) fn find(&self) -> Find {
        let joined = |parts: &[String], by| (!parts.is_empty()).then(|| parts.join(by));
        Find {
            q: joined(&self.words, " "),
            near: self.near.clone(),
            radius_km: self.radius_km,
            bbox: self.bbox.clone(),
            check_in: self.check_in.clone(),
            check_out: self.check_out.clone(),
            guests: self.guests,
            amenities: joined(&self.amenities, ","),
            price_min: self.price_min,
            price_max: self.price_max,
            currency: self.currency.clone(),
            room_type: self.room_type.clone(),
            sort: self.sort.clone(),
            limit: self.limit,
        }
    }
}
