! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> What a fast Fourier transform of observations needs before and after: a series, and the largest power.
module periodograms
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: bin_deviations, find_largest_power

contains

    !> Put deviations from the mean, scaled so that sums cannot overflow, in the nearest of equally spaced places.
    pure subroutine bin_deviations(last, places, m, x_sets, fits, x, y, series)
        integer, intent(in) :: last                         !! the place of 1, counted from 0
        integer, intent(in) :: places                       !! more than that; the others stay 0
        integer, intent(in) :: m                            !! points of a data set
        integer, intent(in) :: x_sets                       !! 1: the predictor is shared; or fits
        integer, intent(in) :: fits
        real(wp), intent(in) :: x(m, x_sets)                !! the predictor, from 0 to 1
        real(wp), intent(in) :: y(m, fits)                  !! observations; those that are not finite are missing
        real(wp), intent(inout) :: series(0:places - 1, fits)   !! out

        real(wp), parameter :: part = 2.0_wp**(-32)         ! of numbers whose sum cannot overflow
        real(wp) :: inverse, largest, mean, total
        integer :: i, k, place, points, set

        do k = 1, fits
            set = min(k, x_sets)
            series(:, k) = 0.0_wp
            largest = 0.0_wp
            total = 0.0_wp
            points = 0
            do i = 1, m
                if (.not. abs(y(i, k)) <= huge(y)) cycle
                largest = max(largest, abs(y(i, k)))
                total = total + part*y(i, k)
                points = points + 1
            end do
            if (points == 0) cycle
            inverse = 1.0_wp/max(largest, tiny(largest))
            mean = total/points*inverse/part
            do i = 1, m
                if (.not. abs(y(i, k)) <= huge(y)) cycle
                place = min(max(int(x(i, set)*last + 0.5_wp), 0), last)
                series(place, k) = series(place, k) + (y(i, k)*inverse - mean)
            end do
        end do
    end subroutine bin_deviations

    !> Find the largest power between two frequencies, and the vertex of the parabola through it and its neighbours.
    pure subroutine find_largest_power(first, last, count, fits, transform, peak)
        integer, intent(in) :: first, last                  !! which frequencies, counted from 0
        integer, intent(in) :: count                        !! how many there are
        integer, intent(in) :: fits
        real(wp), intent(in) :: transform(2, 0:count - 1, fits)     !! real and imaginary parts
        real(wp), intent(inout) :: peak(fits)               !! out: where, at least 1

        real(wp) :: power, before, here, after, most, curvature
        integer :: j, k, at

        do k = 1, fits
            at = first
            most = -1.0_wp
            do j = first, last
                power = power_at(transform(:, j, k))
                if (.not. power > most) cycle
                most = power
                at = j
            end do
            at = min(max(at, 1), max(last - 1, 1))
            before = 0.0_wp
            if (at - 1 >= first) before = power_at(transform(:, at - 1, k))
            here = power_at(transform(:, min(at, last), k))
            after = power_at(transform(:, min(at + 1, last), k))
            curvature = 2.0_wp*here - before - after
            peak(k) = at
            if (curvature > 0.0_wp) peak(k) = at + min(max(0.5_wp*(after - before)/curvature, -0.5_wp), 0.5_wp)
        end do
    end subroutine find_largest_power

    pure function power_at(parts) result(power)
        real(wp), intent(in) :: parts(2)
        real(wp) :: power

        power = parts(1)*parts(1) + parts(2)*parts(2)
    end function power_at

end module periodograms
