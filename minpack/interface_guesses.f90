! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

! The routines for where fits start that Python sees; for levels, see interface_lanes.

!> Find a peak in each data set.
subroutine find_peaks(level, profile, predictors, m, x_sets, fits, x, y, peaks, work)
    use kinds, only: wp
    use lane_levels, only: find_peaks_baseline, find_peaks_v3, find_peaks_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: profile                          !! of the peaks, see lane_beyond_half
    integer, intent(in) :: predictors                       !! 1 or 2
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: x_sets                           !! 1: the predictors are shared; or fits
    integer, intent(in) :: fits                             !! data sets
    real(wp), intent(in) :: x(m, predictors, x_sets)        !! predictors, finite
    real(wp), intent(in) :: y(m, fits)                      !! observations; those that are not finite are missing
    real(wp), intent(inout) :: peaks(2*predictors + 3, fits)    !! out: see lane_beyond_half
    real(wp), intent(inout) :: work(*)                      !! most_width*m*(predictors + 2) numbers

    select case (level)
    case default
        call find_peaks_baseline(profile, predictors, m, x_sets, fits, x, y, peaks, work)
    case (2)
        call find_peaks_v3(profile, predictors, m, x_sets, fits, x, y, peaks, work)
    case (3)
        call find_peaks_v4(profile, predictors, m, x_sets, fits, x, y, peaks, work)
    end select
end subroutine find_peaks

!> Choose for each data set the function of a family that, with an amplitude and perhaps an offset, fits it best.
subroutine choose_functions(level, family, m, x_sets, fits, x, y, chosen, work)
    use kinds, only: wp
    use lane_kinds, only: most_width
    use lane_levels, only: functions_of, tile, choose_functions_baseline, choose_functions_v3, choose_functions_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: family                           !! see lane_families
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: x_sets                           !! 1: the predictor is shared; or fits
    integer, intent(in) :: fits                             !! data sets
    real(wp), intent(in) :: x(m, x_sets)                    !! the predictor, finite
    real(wp), intent(in) :: y(m, fits)                      !! observations; those that are not finite are missing
    real(wp), intent(inout) :: chosen(6, fits)              !! out: see lane_grids
    real(wp), intent(inout) :: work(*)                      !! most_width*(3*m + 15*n) + m*n numbers, n functions

    integer :: n, moments, lines, possible, f, table

    n = functions_of(family)
    moments = most_width*3*m + 1
    lines = moments + most_width*3*n
    possible = lines + most_width*3*n
    f = possible + most_width*n
    table = f + most_width*tile*n
    select case (level)
    case default
        call choose_functions_baseline(family, n, m, x_sets, fits, x, y, chosen, work, work(moments), work(lines), &
                                       work(possible), work(f), work(table))
    case (2)
        call choose_functions_v3(family, n, m, x_sets, fits, x, y, chosen, work, work(moments), work(lines), &
                                 work(possible), work(f), work(table))
    case (3)
        call choose_functions_v4(family, n, m, x_sets, fits, x, y, chosen, work, work(moments), work(lines), &
                                 work(possible), work(f), work(table))
    end select
end subroutine choose_functions

!> Choose for each data set the pair of functions that, with an amplitude each and an offset, fits it best.
subroutine choose_planes(level, family, m, x_sets, fits, x, y, planes, work)
    use kinds, only: wp
    use lane_levels, only: choose_planes_baseline, choose_planes_v3, choose_planes_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: family                           !! see lane_planes
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: x_sets                           !! 1: the predictor is shared; or fits
    integer, intent(in) :: fits                             !! data sets
    real(wp), intent(in) :: x(m, x_sets)                    !! the predictor, finite
    real(wp), intent(in) :: y(m, fits)                      !! observations; those that are not finite are missing
    real(wp), intent(inout) :: planes(7, fits)              !! out: see lane_planes
    real(wp), intent(inout) :: work(*)                      !! most_width*m*3 numbers

    select case (level)
    case default
        call choose_planes_baseline(family, m, x_sets, fits, x, y, planes, work)
    case (2)
        call choose_planes_v3(family, m, x_sets, fits, x, y, planes, work)
    case (3)
        call choose_planes_v4(family, m, x_sets, fits, x, y, planes, work)
    end select
end subroutine choose_planes

!> Fit waves of known frequencies to data sets.
subroutine fit_waves(level, rates, m, x_sets, fits, x, y, cycles, allowed_sets, allowed, waves, work)
    use kinds, only: wp
    use lane_levels, only: fit_waves_baseline, fit_waves_v3, fit_waves_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: rates                            !! rates to try, see lane_oscillations
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: x_sets                           !! 1: the predictor is shared; or fits
    integer, intent(in) :: fits                             !! data sets
    real(wp), intent(in) :: x(m, x_sets)                    !! the predictor, from 0 to 1
    real(wp), intent(in) :: y(m, fits)                      !! observations; those that are not finite are missing
    real(wp), intent(in) :: cycles(fits)                    !! cycles per range of the predictor
    integer, intent(in) :: allowed_sets                     !! 1: shared; or fits
    real(wp), intent(in) :: allowed(rates, allowed_sets)    !! 1, or 0 for rates that are ruled out
    real(wp), intent(inout) :: waves(5, fits)               !! out: see lane_oscillations
    real(wp), intent(inout) :: work(*)                      !! most_width*m*3 numbers

    select case (level)
    case default
        call fit_waves_baseline(rates, m, x_sets, fits, x, y, cycles, allowed_sets, allowed, waves, work)
    case (2)
        call fit_waves_v3(rates, m, x_sets, fits, x, y, cycles, allowed_sets, allowed, waves, work)
    case (3)
        call fit_waves_v4(rates, m, x_sets, fits, x, y, cycles, allowed_sets, allowed, waves, work)
    end select
end subroutine fit_waves

!> Find where most is left of each data set, and how far to look from there.
subroutine find_tops(m, fits, y, top, half, work)
    use kinds, only: wp
    use tops, only: find => find_tops
    implicit none (type, external)
    integer, intent(in) :: m                                !! points of a data set, at least 1
    integer, intent(in) :: fits                             !! data sets
    real(wp), intent(in) :: y(m, fits)                      !! what is left, NaN where missing
    integer, intent(inout) :: top(fits)                     !! where, counted from 0; where it is negative, it is found
    integer, intent(inout) :: half(fits)                    !! out: how many points to either side to look at
    real(wp), intent(inout) :: work(m)

    call find(m, fits, y, top, half, work)
end subroutine find_tops

!> Cut out points around the tops of data sets.
subroutine cut_windows(points, m, x_sets, fits, x, y, top, half, window_x, window_y)
    use kinds, only: wp
    use tops, only: cut => cut_windows
    implicit none (type, external)
    integer, intent(in) :: points                           !! how many points, odd
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: x_sets                           !! 1: the predictor is shared; or fits
    integer, intent(in) :: fits                             !! data sets
    real(wp), intent(in) :: x(m, x_sets)                    !! the predictor, NaN where missing
    real(wp), intent(in) :: y(m, fits)                      !! what is left, NaN where missing
    integer, intent(in) :: top(fits)                        !! where, counted from 0
    integer, intent(in) :: half(fits)                       !! how many points to either side
    real(wp), intent(inout) :: window_x(points, fits)       !! out: finite
    real(wp), intent(inout) :: window_y(points, fits)       !! out: NaN where there is no point

    call cut(points, m, x_sets, fits, x, y, top, half, window_x, window_y)
end subroutine cut_windows

!> Put deviations of each data set from its mean in the nearest of equally spaced places.
subroutine bin_deviations(last, places, m, x_sets, fits, x, y, series)
    use kinds, only: wp
    use periodograms, only: bin => bin_deviations
    implicit none (type, external)
    integer, intent(in) :: last                             !! the place of 1, counted from 0
    integer, intent(in) :: places                           !! more than that; the others stay 0
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: x_sets                           !! 1: the predictor is shared; or fits
    integer, intent(in) :: fits                             !! data sets
    real(wp), intent(in) :: x(m, x_sets)                    !! the predictor, from 0 to 1
    real(wp), intent(in) :: y(m, fits)                      !! observations; those that are not finite are missing
    real(wp), intent(inout) :: series(places, fits)         !! out

    call bin(last, places, m, x_sets, fits, x, y, series)
end subroutine bin_deviations

!> Find for each data set the frequency with the largest power.
subroutine find_largest_power(first, last, numbers, fits, transform, peak)
    use kinds, only: wp
    use periodograms, only: find => find_largest_power
    implicit none (type, external)
    integer, intent(in) :: first, last                      !! which frequencies, counted from 0
    integer, intent(in) :: numbers                          !! twice as many as there are
    integer, intent(in) :: fits                             !! data sets
    real(wp), intent(in) :: transform(numbers, fits)        !! real and imaginary parts in turn
    real(wp), intent(inout) :: peak(fits)                   !! out: where, see periodograms

    call find(first, last, numbers/2, fits, transform, peak)
end subroutine find_largest_power
