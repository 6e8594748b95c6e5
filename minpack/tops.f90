! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Where most is left of spectra, and points around there.
module tops
    use kinds, only: wp, not_a_number
    implicit none (type, external)
    private
    public :: find_tops, cut_windows

    !> How far a peak is looked at, in half widths at half height, and at least how many points to either side.
    real(wp), parameter :: reach = 2.5_wp
    integer, parameter :: nearest = 4
    !> The share of the points that means are taken of is twice this one.
    integer, parameter :: share = 100

contains

    !> Find the largest size in means of neighbours, weighted towards the middle, and how far to look from there.
    pure subroutine find_tops(m, fits, y, top, half, smooth)
        integer, intent(in) :: m                            !! points of a data set, at least 1
        integer, intent(in) :: fits
        real(wp), intent(in) :: y(m, fits)                  !! what is left, NaN where missing
        integer, intent(inout) :: top(fits)                 !! where, counted from 0; where it is negative, it is found
        integer, intent(inout) :: half(fits)                !! out: how many points to either side to look at
        real(wp), intent(inout) :: smooth(m)                !! work

        real(wp) :: height
        integer :: j, k, near

        do k = 1, fits
            call smooth_over(m, max(1, m/share), y(:, k), smooth)
            if (top(k) < 0) top(k) = maxloc(abs(smooth), 1) - 1
            height = smooth(top(k) + 1)
            ! To the nearer side, because on the other there may be a neighbour.
            near = max(top(k), m - 1 - top(k)) + 1
            do j = 1, near - 1
                if (is_below(top(k) + 1 - j) .or. is_below(top(k) + 1 + j)) then
                    near = j
                    exit
                end if
            end do
            half(k) = max(ceiling(reach*near), nearest)
        end do

    contains

        pure logical function is_below(i)
            integer, intent(in) :: i

            is_below = .false.
            if (i >= 1 .and. i <= m) is_below = smooth(i)*sign(1.0_wp, height) < 0.5_wp*abs(height)
        end function is_below

    end subroutine find_tops

    !> Means with weights that fall to both sides; what is missing counts as 0, and the ends go on beyond them.
    pure subroutine smooth_over(m, side, y, smooth)
        integer, intent(in) :: m, side
        real(wp), intent(in) :: y(m)
        real(wp), intent(out) :: smooth(m)

        real(wp) :: before, after, weight
        integer :: i, j

        smooth = 0.0_wp
        do j = 0, side
            weight = (side + 1.0_wp - j)/(side + 1.0_wp)**2
            if (j == 0) weight = 0.5_wp*weight
            do i = 1, m
                before = y(max(i - j, 1))
                after = y(min(i + j, m))
                if (abs(before) <= huge(y)) smooth(i) = smooth(i) + weight*before
                if (abs(after) <= huge(y)) smooth(i) = smooth(i) + weight*after
            end do
        end do
    end subroutine smooth_over

    !> Cut out points around the tops, of so many the same number of steps apart.
    pure subroutine cut_windows(points, m, x_sets, fits, x, y, top, half, window_x, window_y)
        integer, intent(in) :: points                       !! odd
        integer, intent(in) :: m                            !! points of a data set
        integer, intent(in) :: x_sets                       !! 1: the predictor is shared; or fits
        integer, intent(in) :: fits
        real(wp), intent(in) :: x(m, x_sets)                !! the predictor, NaN where missing
        real(wp), intent(in) :: y(m, fits)                  !! what is left, NaN where missing
        integer, intent(in) :: top(fits), half(fits)
        real(wp), intent(inout) :: window_x(points, fits)   !! out: finite
        real(wp), intent(inout) :: window_y(points, fits)   !! out: NaN where there is no point

        real(wp) :: here
        integer :: i, k, place, set, step

        do k = 1, fits
            set = min(k, x_sets)
            here = x(top(k) + 1, set)
            if (.not. abs(here) <= huge(here)) here = 0.0_wp
            step = (half(k) + points/2 - 1)/(points/2)
            do i = 1, points
                place = top(k) + 1 + step*(i - 1 - points/2)
                window_x(i, k) = here
                window_y(i, k) = not_a_number
                if (place < 1 .or. place > m .or. abs(step*(i - 1 - points/2)) > half(k)) cycle
                if (.not. abs(x(place, set)) <= huge(here)) cycle
                window_x(i, k) = x(place, set)
                window_y(i, k) = y(place, k)
            end do
        end do
    end subroutine cut_windows

end module tops
